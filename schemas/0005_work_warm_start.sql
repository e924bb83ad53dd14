-- What the towers of a stage were started from, of its last warm-started run: with what is published
-- this tells whether the generation of today came out of these towers or replaced them.
CREATE TABLE warm_start (
    stage TEXT PRIMARY KEY,
    generation INTEGER NOT NULL, -- that was published then; 0: none
    fingerprint TEXT NOT NULL,   -- of that generation and its content
    run_started INTEGER NOT NULL -- of the run that trained them, Unix seconds
) WITHOUT ROWID;
