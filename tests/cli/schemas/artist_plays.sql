-- how often who heard whom, without times
-- without sequence
-- expect SELECT user_id, artist_id AS item_id, plays AS weight
-- expect FROM user_artists
-- expect split: {by: random, valid: 0.1, test: 0.1}
-- expect pairs: {}
-- run
CREATE TABLE artists(id INTEGER PRIMARY KEY, name TEXT, url TEXT);
CREATE TABLE user_artists(user_id INTEGER, artist_id INTEGER, plays INTEGER);
INSERT INTO artists SELECT value, 'artist ' || value, '' FROM generate_series(1, 40);
INSERT INTO user_artists SELECT u.value, (u.value * 31 + i.value * 7) % 40 + 1, i.value FROM generate_series(1, 80) AS u, generate_series(1, 12) AS i;
