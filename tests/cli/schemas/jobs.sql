-- applications, views, saved jobs in three tables of different units
-- without NOT IN
-- expect SELECT 3 * (viewed_at * 1000000 + id % 1000000) AS event_id
-- expect unixepoch(applied_at)
-- expect UNION ALL
-- expect job_id AS item_id
CREATE TABLE users(id INTEGER PRIMARY KEY, email TEXT);
CREATE TABLE companies(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE jobs(id INTEGER PRIMARY KEY, title TEXT, company_id INTEGER REFERENCES companies(id), posted_at TEXT);
CREATE TABLE job_views(id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users(id), job_id INTEGER NOT NULL REFERENCES jobs(id), viewed_at INTEGER NOT NULL);
CREATE TABLE saved_jobs(id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users(id), job_id INTEGER NOT NULL REFERENCES jobs(id), created_at INTEGER NOT NULL);
CREATE TABLE applications(id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users(id), job_id INTEGER NOT NULL REFERENCES jobs(id), applied_at TEXT NOT NULL, status TEXT);
INSERT INTO users(id) SELECT value FROM generate_series(1, 80);
INSERT INTO jobs SELECT value, 'job ' || value, 1, '' FROM generate_series(1, 50);
INSERT INTO job_views SELECT value, value * 7919 % 80 + 1, value * 31 % 50 + 1, 1700000000 + value * 2000 FROM generate_series(1, 2500);
INSERT INTO saved_jobs SELECT value, value * 7919 % 80 + 1, value * 37 % 50 + 1, 1700000000 + value * 9000 FROM generate_series(1, 500);
INSERT INTO applications SELECT value, value * 7919 % 80 + 1, value * 31 % 50 + 1, datetime(1700000000 + value * 25000, 'unixepoch'), iif(value % 3 = 0, 'rejected', '') FROM generate_series(1, 200);
