-- ratings up to 10, one of them of a restaurant that nobody named
-- expect SELECT guest AS user_id, restaurant_id AS item_id, score AS rating, visited AS created_at
-- expect restaurant_id IS NOT NULL
-- expect min_rating: 7
CREATE TABLE restaurants(id INTEGER PRIMARY KEY, name TEXT, cuisine TEXT, city TEXT);
CREATE TABLE visits(guest TEXT, restaurant_id INTEGER REFERENCES restaurants(id), score INTEGER, visited DATE);
INSERT INTO restaurants SELECT value, 'r' || value, 'thai', 'x' FROM generate_series(1, 40);
INSERT INTO visits SELECT 'g' || (value * 7919 % 50), iif(value = 7, NULL, value * 31 % 40 + 1), value % 10 + 1,
    date(1600000000 + value * 40000, 'unixepoch') FROM generate_series(1, 1600);
