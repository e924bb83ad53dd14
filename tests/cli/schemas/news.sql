-- page views, most of them of nobody
-- expect SELECT reader_id AS user_id, article_id AS item_id, time
-- expect FROM pageviews
-- expect WHERE reader_id IS NOT NULL
-- expect SELECT articles.id AS item_id, articles.headline AS title, sections.name AS category
CREATE TABLE readers(id INTEGER PRIMARY KEY, email TEXT, newsletter INTEGER);
CREATE TABLE sections(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE authors(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE articles(id INTEGER PRIMARY KEY, headline TEXT, body TEXT, author_id INTEGER REFERENCES authors(id),
    section_id INTEGER REFERENCES sections(id), published_at TEXT);
CREATE TABLE pageviews(id INTEGER PRIMARY KEY, reader_id INTEGER REFERENCES readers(id), article_id INTEGER REFERENCES articles(id),
    referrer TEXT, user_agent TEXT, time TEXT);
INSERT INTO readers(id) SELECT value FROM generate_series(1, 50);
INSERT INTO articles SELECT value, 'news ' || value, '', 1, 1, '' FROM generate_series(1, 60);
INSERT INTO pageviews SELECT value, iif(value % 3 = 0, value * 7919 % 50 + 1, NULL), value * 31 % 60 + 1, '', '',
    strftime('%Y-%m-%dT%H:%M:%SZ', 1700000000 + value * 400, 'unixepoch') FROM generate_series(1, 6000);
