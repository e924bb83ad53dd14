-- a copy is rented, the film is meant
-- expect SELECT rental.customer_id AS user_id, inventory.film_id AS item_id, rental.rental_date AS created_at
-- expect FROM rental JOIN inventory ON inventory.inventory_id = rental.inventory_id
-- expect film_id AS item_id, title FROM film
-- without return_date
CREATE TABLE film(film_id INTEGER PRIMARY KEY, title TEXT, description TEXT, release_year TEXT, language_id INTEGER, rating TEXT);
CREATE TABLE actor(actor_id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT);
CREATE TABLE film_actor(actor_id INTEGER REFERENCES actor, film_id INTEGER REFERENCES film, PRIMARY KEY (actor_id, film_id));
CREATE TABLE inventory(inventory_id INTEGER PRIMARY KEY, film_id INTEGER REFERENCES film, store_id INTEGER);
CREATE TABLE customer(customer_id INTEGER PRIMARY KEY, store_id INTEGER, first_name TEXT, last_name TEXT, email TEXT, create_date TEXT);
CREATE TABLE staff(staff_id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT);
CREATE TABLE rental(rental_id INTEGER PRIMARY KEY, rental_date TEXT, inventory_id INTEGER REFERENCES inventory,
    customer_id INTEGER REFERENCES customer, return_date TEXT, staff_id INTEGER REFERENCES staff, last_update TEXT);
CREATE TABLE payment(payment_id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer, staff_id INTEGER REFERENCES staff,
    rental_id INTEGER REFERENCES rental, amount REAL, payment_date TEXT);
INSERT INTO film(film_id, title) SELECT value, 'film ' || value FROM generate_series(1, 30);
INSERT INTO film_actor SELECT a.value, f.value FROM generate_series(1, 100) AS a, generate_series(1, 30) AS f;
INSERT INTO inventory SELECT value, value % 30 + 1, 1 FROM generate_series(1, 90);
INSERT INTO customer(customer_id) SELECT value FROM generate_series(1, 60);
INSERT INTO rental SELECT value, datetime(1115000000 + value * 5000, 'unixepoch'), value * 31 % 90 + 1, value * 7919 % 60 + 1, NULL, 1, ''
    FROM generate_series(1, 2500);
INSERT INTO payment SELECT value, value * 7919 % 60 + 1, 1, value, 1, '2005-05-25' FROM generate_series(1, 2500);
