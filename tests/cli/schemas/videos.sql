-- thumbs up and down; views in a table without a time are left out
-- expect SELECT uid AS user_id, video_id AS item_id, vote AS rating, voted_ms AS created_at
-- expect min_rating: 1
-- expect dislike_rating: -1
-- expect channels.name AS category
CREATE TABLE accounts(uid INTEGER PRIMARY KEY, email TEXT);
CREATE TABLE channels(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE videos(id INTEGER PRIMARY KEY, title TEXT, channel_id INTEGER REFERENCES channels(id), seconds INTEGER);
CREATE TABLE thumbs(uid INTEGER REFERENCES accounts, video_id INTEGER REFERENCES videos(id), vote INTEGER, voted_ms INTEGER);
INSERT INTO accounts(uid) SELECT value FROM generate_series(1, 60);
INSERT INTO channels SELECT value, 'c' || value FROM generate_series(1, 4);
INSERT INTO videos SELECT value, 'video ' || value, 1, 60 FROM generate_series(1, 50);
INSERT INTO thumbs SELECT value * 7919 % 60 + 1, value * 31 % 50 + 1, iif(value % 4 = 0, -1, 1), (1700000000 + value * 2000) * 1000 FROM generate_series(1, 3000);
