-- The work database: nightjar's own file, one per pipeline, safe to delete. Times are Unix seconds.
-- SQLite runs in rollback-journal mode here: one file, one writer, nothing to leave behind.

CREATE TABLE nightjar_schema (
    part TEXT NOT NULL, -- 'work'
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    applied INTEGER NOT NULL,
    PRIMARY KEY (part, version)
) WITHOUT ROWID;

-- Artifacts: named sets of typed arrays, saved under a slot. A row with current = 0 is being
-- written, or what an interrupted run has left.
CREATE TABLE artifact (
    artifact INTEGER PRIMARY KEY,
    slot TEXT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL, -- over names, types, shapes and bytes: checked when loaded
    bytes INTEGER NOT NULL,
    saved INTEGER NOT NULL,
    current INTEGER NOT NULL
);
CREATE UNIQUE INDEX artifact_of_slot ON artifact (slot) WHERE current = 1;

CREATE TABLE artifact_array (
    artifact INTEGER NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL, -- 'f32', 'f64', 'i32', 'i64', 'u8'
    n_rows INTEGER NOT NULL,
    n_columns INTEGER NOT NULL,
    PRIMARY KEY (artifact, position)
) WITHOUT ROWID;

-- The arrays' bytes, row-major, little-endian, cut every 4 MiB.
CREATE TABLE artifact_chunk (
    chunk INTEGER PRIMARY KEY,
    artifact INTEGER NOT NULL,
    position INTEGER NOT NULL, -- of the array
    number INTEGER NOT NULL,   -- of the chunk within it
    bytes BLOB NOT NULL,
    UNIQUE (artifact, position, number)
);

-- Every run of the pipeline, failed and refused ones included.
CREATE TABLE run (
    run INTEGER PRIMARY KEY,
    pipeline TEXT NOT NULL,
    version TEXT NOT NULL, -- of nightjar
    config_hash TEXT NOT NULL,
    seed INTEGER NOT NULL,
    started INTEGER NOT NULL,
    finished INTEGER,
    -- 'running', 'published', 'finished' (nothing new to publish), 'refused' (by the gate),
    -- 'failed', 'interrupted' (by a signal), 'killed' (found by the next run)
    state TEXT NOT NULL,
    exit_code INTEGER,
    message TEXT,
    generation INTEGER -- the one that it published
);

CREATE TABLE stage_run (
    run INTEGER NOT NULL,
    position INTEGER NOT NULL,
    label TEXT NOT NULL,
    state TEXT NOT NULL, -- 'done', 'skipped', 'failed'
    seconds REAL,
    cpu_seconds REAL,
    n_rows INTEGER,
    key TEXT,
    PRIMARY KEY (run, position)
) WITHOUT ROWID;

-- What the last finished run of a stage was made of: equal keys need no second run.
CREATE TABLE stage_state (
    label TEXT PRIMARY KEY,
    key TEXT NOT NULL,         -- hash over version, options, inputs and identity
    fingerprint TEXT NOT NULL, -- of the source, where the stage reads it
    run INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    n_rows INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE run_metric (
    run INTEGER NOT NULL,
    name TEXT NOT NULL,  -- 'ndcg@20'
    model TEXT NOT NULL, -- 'nightjar', 'popularity', 'item_item'
    grp TEXT NOT NULL,   -- 'all', 'users:1-4'
    value REAL NOT NULL,
    -- the stage that measured it: the metrics of an unchanged stage are carried to the next run
    label TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run, name, model, grp)
) WITHOUT ROWID;

-- Sizes of the data at the last run, for the estimates before the next.
CREATE TABLE data_size (
    name TEXT PRIMARY KEY, -- 'users', 'items', 'interactions'
    value REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE training_curve (
    run INTEGER NOT NULL,
    stage TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    name TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (run, stage, epoch, name)
) WITHOUT ROWID;

-- Rows of the source that a stage refused, of its last run.
CREATE TABLE rejected_rows (
    stage TEXT NOT NULL,
    position INTEGER NOT NULL, -- the row's number in the query's result, or the CSV line
    reason TEXT NOT NULL,
    content TEXT
);
CREATE INDEX rejected_rows_of_stage ON rejected_rows (stage, position);
