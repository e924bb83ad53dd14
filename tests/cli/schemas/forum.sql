-- threads are read and answered, posts are liked: threads have more to go by
-- expect FROM thread_views
-- expect 'comment'
-- expect thread_id AS item_id
-- expect SELECT threads.id AS item_id, threads.title AS title, forums.name AS category
-- expect guessed: what is recommended to whom? threads to users
-- expect viewed_at / 1000000
-- run
CREATE TABLE users(id INTEGER PRIMARY KEY, username TEXT, email TEXT, joined_at INTEGER);
CREATE TABLE forums(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE threads(id INTEGER PRIMARY KEY, forum_id INTEGER REFERENCES forums(id), author_id INTEGER REFERENCES users(id),
    title TEXT, created_at INTEGER);
CREATE TABLE posts(id INTEGER PRIMARY KEY, thread_id INTEGER REFERENCES threads(id), user_id INTEGER REFERENCES users(id),
    body TEXT, created_at INTEGER);
CREATE TABLE likes(user_id INTEGER REFERENCES users(id), post_id INTEGER REFERENCES posts(id), created_at INTEGER,
    PRIMARY KEY (user_id, post_id));
CREATE TABLE thread_views(user_id INTEGER REFERENCES users(id), thread_id INTEGER REFERENCES threads(id), viewed_at INTEGER);
INSERT INTO users(id) SELECT value FROM generate_series(1, 60);
INSERT INTO forums SELECT value, 'f' || value FROM generate_series(1, 3);
INSERT INTO threads SELECT value, value % 3 + 1, value % 60 + 1, 'thread ' || value, (1700000000 + value * 10000) * 1000000 FROM generate_series(1, 50);
INSERT INTO posts SELECT value, value * 31 % 50 + 1, value * 7919 % 60 + 1, 'text', (1700000000 + value * 9000) * 1000000 FROM generate_series(1, 500);
INSERT OR IGNORE INTO likes SELECT value * 7919 % 60 + 1, value * 31 % 500 + 1, (1700000000 + value * 9000) * 1000000 FROM generate_series(1, 300);
INSERT INTO thread_views SELECT value * 7919 % 60 + 1, value * 37 % 50 + 1, (1700000000 + value * 2500) * 1000000 FROM generate_series(1, 2000);
