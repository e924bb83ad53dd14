-- loans of copies of books, in Julian days
-- expect copies.book_id AS item_id
-- expect loans.member_no AS user_id
-- expect unixepoch(loans.borrowed_at, 'julianday') AS created_at
-- expect JOIN copies ON copies.copy_id = loans.copy_id
-- run
CREATE TABLE members(member_no INTEGER PRIMARY KEY, name TEXT, birthday TEXT);
CREATE TABLE books(book_id INTEGER PRIMARY KEY, title TEXT, isbn TEXT, genre TEXT);
CREATE TABLE copies(copy_id INTEGER PRIMARY KEY, book_id INTEGER NOT NULL REFERENCES books, shelf TEXT);
CREATE TABLE loans(loan_id INTEGER PRIMARY KEY, copy_id INTEGER REFERENCES copies, member_no INTEGER REFERENCES members,
    borrowed_at REAL, due_at REAL, returned_at REAL);
INSERT INTO members SELECT value, 'm', '' FROM generate_series(1, 60);
INSERT INTO books SELECT value, 'book ' || value, '', 'novel' FROM generate_series(1, 30);
INSERT INTO copies SELECT value, value % 30 + 1, '' FROM generate_series(1, 90);
INSERT INTO loans SELECT value, value * 31 % 90 + 1, value * 7919 % 60 + 1, 2459000.5 + value * 0.1, NULL, NULL FROM generate_series(1, 2500);
