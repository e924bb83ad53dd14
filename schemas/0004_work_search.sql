-- The short trainings by which `train` chose the settings that the configuration leaves to `auto`.
CREATE TABLE search_trial (
    run INTEGER NOT NULL,
    stage TEXT NOT NULL,
    trial INTEGER NOT NULL,  -- from 1, in the order in which they were made
    settings TEXT NOT NULL,  -- NAME=VALUE of every setting that is auto, with spaces between
    epochs INTEGER NOT NULL, -- trained
    value REAL,              -- of the validation metric; NULL: the training diverged or collapsed
    popularity REAL,         -- the weight of log(1 + interactions) in the score at that value
    seconds REAL,            -- that it took
    chosen INTEGER NOT NULL, -- 1: these settings were taken
    PRIMARY KEY (run, stage, trial)
) WITHOUT ROWID;
