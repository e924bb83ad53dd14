-- orders and their lines; the user and the time stand in the order, the category in a table of its own
-- expect SELECT orders.customer_id AS user_id, order_items.product_id AS item_id,
-- expect orders.ordered_at AS created_at
-- expect FROM order_items JOIN orders ON orders.id = order_items.order_id
-- expect its quantity is not used
-- expect products.id AS item_id, products.name AS title, categories.name AS category
-- expect LEFT JOIN categories ON categories.id = products.category_id
-- expect ISO-8601
-- expect SELECT customer_id, product_id, 'like', added_on FROM wishlist
-- expect event_weights: {purchase: 1, like: 1}
-- expect coalesce(orders.status, '') NOT IN ('cancelled', 'Refunded')
-- expect 330 of them are left out, for they were taken back (status)
-- expect - features: items: query: | SELECT id AS item_id, price, (SELECT name FROM categories WHERE categories.id = products.category_id) AS category FROM products
-- expect users: query: | SELECT id AS user_id, country FROM customers
-- without key:
-- run
CREATE TABLE customers(id INTEGER PRIMARY KEY, email TEXT, first_name TEXT, last_name TEXT, country TEXT, created_at TEXT);
CREATE TABLE categories(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE products(id INTEGER PRIMARY KEY, name TEXT, price REAL, category_id INTEGER REFERENCES categories(id));
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers(id),
    ordered_at TEXT NOT NULL, shipped_at TEXT, status TEXT);
CREATE TABLE order_items(order_id INTEGER NOT NULL REFERENCES orders(id),
    product_id INTEGER NOT NULL REFERENCES products(id), quantity INTEGER, unit_price REAL,
    PRIMARY KEY (order_id, product_id));
CREATE TABLE wishlist(customer_id INTEGER NOT NULL, product_id INTEGER NOT NULL, added_on TEXT);
INSERT INTO customers(id, email) SELECT value, value || '@example.org' FROM generate_series(1, 60);
INSERT INTO categories SELECT value, 'kind ' || value FROM generate_series(1, 4);
INSERT INTO products SELECT value, 'thing ' || value, 1, value % 4 + 1 FROM generate_series(1, 40);
INSERT INTO orders SELECT value, value * 7919 % 60 + 1, datetime(1700000000 + value * 9000, 'unixepoch'), NULL,
    CASE WHEN value % 10 = 3 THEN 'cancelled' WHEN value % 41 = 7 THEN 'Refunded' WHEN value % 7 > 0 THEN 'paid' END
    FROM generate_series(1, 900);
INSERT INTO order_items SELECT o.value, (o.value * 31 + l.value * 7) % 40 + 1, 1, 1
    FROM generate_series(1, 900) AS o, generate_series(1, 3) AS l;
INSERT INTO wishlist SELECT value * 7919 % 60 + 1, value * 37 % 40 + 1, date(1700000000 + value * 90000, 'unixepoch')
    FROM generate_series(1, 80);
