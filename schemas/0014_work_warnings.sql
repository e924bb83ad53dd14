-- The warnings of each run, without the values of rows.
CREATE TABLE run_warning (
    run INTEGER NOT NULL,
    number INTEGER NOT NULL, -- in the order in which they were said
    label TEXT NOT NULL,     -- the stage that said it: an unchanged one's are carried on; '': none
    message TEXT NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;
