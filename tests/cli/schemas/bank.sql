-- accounts, cards, transactions: nobody chooses anything
-- exit 65
-- says none of 6 tables is a log of what people chose
-- says accounts: users (customer_id), and no items
-- says nightjar help log
CREATE TABLE customers(id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, email TEXT);
CREATE TABLE branches(id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE accounts(id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id), branch_id INTEGER REFERENCES branches(id),
    balance REAL, opened_at TEXT);
CREATE TABLE cards(id INTEGER PRIMARY KEY, account_id INTEGER REFERENCES accounts(id), number TEXT, expires TEXT);
CREATE TABLE loans(id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id), amount REAL, start_date TEXT);
CREATE TABLE transactions(id INTEGER PRIMARY KEY, account_id INTEGER REFERENCES accounts(id), type TEXT, amount REAL, created_at TEXT);
INSERT INTO customers(id) SELECT value FROM generate_series(1, 50);
INSERT INTO accounts SELECT value, value % 50 + 1, value % 3, 1, '2020-01-01' FROM generate_series(1, 80);
INSERT INTO transactions SELECT value, value % 80 + 1, 'debit', 1, '2020-01-01' FROM generate_series(1, 900);
