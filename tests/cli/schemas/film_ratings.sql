-- ratings, and tags that are none
-- expect train: {sequence: {}}
-- expect SELECT userId AS user_id, movieId AS item_id, rating, timestamp
-- expect FROM ratings
-- expect min_rating: 4
-- expect SELECT movieId AS item_id, title, genres AS category FROM movies
-- without UNION
-- run
CREATE TABLE movies(movieId INTEGER PRIMARY KEY, title TEXT, genres TEXT);
CREATE TABLE ratings(userId INTEGER, movieId INTEGER, rating REAL, timestamp INTEGER);
CREATE TABLE tags(userId INTEGER, movieId INTEGER, tag TEXT, timestamp INTEGER);
CREATE TABLE links(movieId INTEGER, imdbId TEXT, tmdbId TEXT);
INSERT INTO movies SELECT value, 'film ' || value, 'Drama' FROM generate_series(1, 60);
INSERT INTO ratings SELECT value * 7919 % 70 + 1, value * 31 % 60 + 1, value % 10 * 0.5 + 0.5, 1400000000 + value * 9000 FROM generate_series(1, 3500);
