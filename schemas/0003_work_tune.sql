-- What `nightjar tune` has found out: one row for each trial of each rung that ran to its end. A
-- value holds for one configuration and one state of the data alone, whose hashes it carries.
CREATE TABLE tune_trial (
    config TEXT NOT NULL,    -- hash over the stages of a trial, their options, the seed
    data TEXT NOT NULL,      -- hash of the extracted interactions
    settings TEXT NOT NULL,  -- PATH=VALUE lines that differ from the configuration; '': itself
    epochs INTEGER NOT NULL, -- that this rung trained
    value REAL,              -- of the validation metric; NULL: the trial failed
    message TEXT,            -- why it failed
    seconds REAL NOT NULL,
    finished INTEGER NOT NULL,
    PRIMARY KEY (config, data, settings, epochs)
) WITHOUT ROWID;
