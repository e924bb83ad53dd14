-- reviews with stars and favourites: good reviews count
-- expect FROM reviews
-- expect WHERE stars >= 4
-- expect FROM favorites
-- expect 'like'
-- expect 'rating'
-- without ingredient
CREATE TABLE members(id INTEGER PRIMARY KEY, name TEXT, email TEXT);
CREATE TABLE recipes(id INTEGER PRIMARY KEY, author_id INTEGER REFERENCES members(id), name TEXT, cuisine TEXT, created_at TEXT);
CREATE TABLE ingredients(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE recipe_ingredients(recipe_id INTEGER REFERENCES recipes(id), ingredient_id INTEGER REFERENCES ingredients(id), amount TEXT);
CREATE TABLE reviews(id INTEGER PRIMARY KEY, recipe_id INTEGER REFERENCES recipes(id), member_id INTEGER REFERENCES members(id),
    stars INTEGER, title TEXT, comment TEXT, created_at TEXT);
CREATE TABLE favorites(member_id INTEGER REFERENCES members(id), recipe_id INTEGER REFERENCES recipes(id), added_at TEXT);
INSERT INTO members(id, name) SELECT value, 'm' FROM generate_series(1, 50);
INSERT INTO recipes SELECT value, value % 50 + 1, 'r' || value, 'thai', '2020-01-01' FROM generate_series(1, 40);
INSERT INTO recipe_ingredients SELECT value % 40 + 1, value % 9, '' FROM generate_series(1, 400);
INSERT INTO reviews SELECT value, value * 31 % 40 + 1, value * 7919 % 50 + 1, value % 5 + 1, '', '', datetime(1600000000 + value * 20000, 'unixepoch')
    FROM generate_series(1, 1500);
INSERT INTO favorites SELECT value * 7919 % 50 + 1, value * 37 % 40 + 1, datetime(1600000000 + value * 30000, 'unixepoch') FROM generate_series(1, 900);
