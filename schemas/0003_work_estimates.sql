-- Which stage measured a metric: those of a stage that is unchanged are carried to the next run.
ALTER TABLE run_metric ADD COLUMN label TEXT NOT NULL DEFAULT '';

-- Sizes of the data at the last run, for the estimates before the next.
CREATE TABLE data_size (
    name TEXT PRIMARY KEY, -- 'users', 'items', 'interactions'
    value REAL NOT NULL
) WITHOUT ROWID;
