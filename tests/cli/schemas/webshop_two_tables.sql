-- purchases and page views, of visitors whom the shop may know, in two tables: one log, with a key that
-- grows with the time
-- expect SELECT 2 * (viewed_at * 1000000 + id % 1000000) AS event_id, user_id, product_id AS item_id,
-- expect 'view' AS event, viewed_at AS created_at
-- expect FROM page_views
-- expect WHERE user_id IS NOT NULL
-- expect UNION ALL
-- expect SELECT 2 * (bought_at * 1000000 + id % 1000000) + 1, user_id, product_id, 'purchase', bought_at
-- expect key: event_id
-- expect event_weights: {view: 1, purchase: 3}
-- run
CREATE TABLE users(id INTEGER PRIMARY KEY, email TEXT);
CREATE TABLE products(id INTEGER PRIMARY KEY, title TEXT, brand TEXT);
CREATE TABLE purchases(id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER NOT NULL REFERENCES users,
    product_id INTEGER NOT NULL REFERENCES products, bought_at INTEGER NOT NULL);
CREATE TABLE page_views(id INTEGER PRIMARY KEY AUTOINCREMENT, visitor TEXT, user_id INTEGER REFERENCES users,
    product_id INTEGER NOT NULL REFERENCES products, viewed_at INTEGER NOT NULL);
INSERT INTO users SELECT value, value || '@example.org' FROM generate_series(1, 70);
INSERT INTO products SELECT value, 'thing ' || value, 'b' || value % 3 FROM generate_series(1, 40);
INSERT INTO page_views SELECT value, 'v' || value % 200, iif(value % 10 = 0, NULL, value * 7919 % 70 + 1), value * 31 % 40 + 1,
    1700000000 + value * 2000 FROM generate_series(1, 2500);
INSERT INTO purchases SELECT value, value * 7919 % 70 + 1, value * 31 % 40 + 1, 1700000000 + value * 16000
    FROM generate_series(1, 300);
