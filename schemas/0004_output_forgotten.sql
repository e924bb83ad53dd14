-- People whom later runs leave out, known by a keyed hash of their id alone (publishing/forgotten.h). They
-- stand with what is published and not in the work database, which may be deleted.
CREATE TABLE "@prefix@nightjar_forgotten" (
    hash BLOB NOT NULL PRIMARY KEY,
    forgotten INTEGER NOT NULL -- when
) WITHOUT ROWID;

-- One row, made with the first of them.
CREATE TABLE "@prefix@nightjar_forgotten_key" (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    key BLOB NOT NULL
);
