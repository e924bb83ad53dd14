-- listens: people come back to a song; a session leads to who it was
-- expect sessions.user_id
-- expect listens.track_id AS item_id
-- expect JOIN sessions ON sessions.id = listens.session_id
-- expect exclude_seen: auto
-- expect repeats: auto
CREATE TABLE listeners(id INTEGER PRIMARY KEY, username TEXT);
CREATE TABLE sessions(id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES listeners(id), device TEXT);
CREATE TABLE tracks(id INTEGER PRIMARY KEY, title TEXT, artist TEXT);
CREATE TABLE listens(id INTEGER PRIMARY KEY, session_id INTEGER REFERENCES sessions(id), track_id INTEGER REFERENCES tracks(id), listened_at INTEGER);
INSERT INTO listeners SELECT value, 'u' || value FROM generate_series(1, 40);
INSERT INTO sessions SELECT value, value % 40 + 1, '' FROM generate_series(1, 400);
INSERT INTO tracks SELECT value, 't' || value, 'a' FROM generate_series(1, 50);
INSERT INTO listens SELECT value, value % 400 + 1, value * 31 % 50 + 1, 1700000000 + value * 2000 FROM generate_series(1, 4000);
