-- a shop with one table of events, where a user is called 0
-- without sequence
-- expect SELECT user_id, item_id, event, created_at
-- expect FROM events
-- expect event_weights: {view: 1, cart: 2, purchase: 4}
-- expect split: {by: time, valid: 7d, test: 7d}
-- expect SELECT item_id, title, category FROM items
-- without WHERE
-- run
CREATE TABLE users(user_id INTEGER PRIMARY KEY, country TEXT);
CREATE TABLE items(item_id INTEGER PRIMARY KEY, title TEXT NOT NULL, category TEXT, price REAL);
CREATE TABLE events(event_id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, item_id INTEGER NOT NULL,
    event TEXT NOT NULL, created_at INTEGER NOT NULL);
INSERT INTO users SELECT value, 'de' FROM generate_series(1, 80);
INSERT INTO items SELECT value, 'item ' || value, 'c' || value % 3, 1 FROM generate_series(1, 40);
INSERT INTO events SELECT value, value * 7919 % 80, value * 31 % 13 * 3 + value % 3 + 1,
    CASE WHEN value % 20 = 0 THEN 'purchase' WHEN value % 5 = 0 THEN 'cart' ELSE 'view' END,
    1700000000 + value * 1800 FROM generate_series(1, 3000);
