-- a log in which nothing has happened
-- exit 65
-- says clicks would be one, and has no rows nightjar: Where there is one
CREATE TABLE users(id INTEGER PRIMARY KEY, email TEXT);
CREATE TABLE items(id INTEGER PRIMARY KEY, title TEXT);
CREATE TABLE clicks(id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users(id), item_id INTEGER REFERENCES items(id), ts INTEGER);
