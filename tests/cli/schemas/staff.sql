-- projects and hours
-- exit 65
-- says is a log of what people chose
CREATE TABLE employees(id INTEGER PRIMARY KEY, name TEXT, manager_id INTEGER REFERENCES employees(id), department_id INTEGER);
CREATE TABLE departments(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE salaries(employee_id INTEGER REFERENCES employees(id), amount REAL, valid_from TEXT);
INSERT INTO employees SELECT value, 'e', NULL, 1 FROM generate_series(1, 50);
