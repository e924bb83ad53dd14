-- students enrol in courses and go through lessons
-- expect SELECT student_id AS user_id, course_id AS item_id, enrolled_on AS created_at
-- expect FROM enrollments
-- expect SELECT id AS item_id, title, subject AS category FROM courses
CREATE TABLE students(id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT);
CREATE TABLE teachers(id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT);
CREATE TABLE courses(id INTEGER PRIMARY KEY, title TEXT, subject TEXT, teacher_id INTEGER REFERENCES teachers(id));
CREATE TABLE enrollments(id INTEGER PRIMARY KEY, student_id INTEGER REFERENCES students(id), course_id INTEGER REFERENCES courses(id),
    enrolled_on DATE, completed_on DATE, grade TEXT);
INSERT INTO students(id) SELECT value FROM generate_series(1, 200);
INSERT INTO courses SELECT value, 'course ' || value, 'art', 1 FROM generate_series(1, 40);
INSERT INTO enrollments SELECT value, value * 7919 % 200 + 1, value * 31 % 40 + 1, date(1600000000 + value * 40000, 'unixepoch'), NULL, NULL
    FROM generate_series(1, 1500);
