-- The output database: what stays from generation to generation. The tables of a generation and
-- the views over them are made by publish. Times are Unix seconds. The file is shared with an
-- application: no STRICT, no triggers, no setting of the file is touched.

CREATE TABLE "@prefix@nightjar_schema" (
    part TEXT NOT NULL, -- 'output'
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    applied INTEGER NOT NULL,
    PRIMARY KEY (part, version)
) WITHOUT ROWID;

-- Every table and view that publish has made: anything else under such a name is not ours.
CREATE TABLE "@prefix@nightjar_objects" (
    name TEXT NOT NULL COLLATE NOCASE PRIMARY KEY,
    type TEXT NOT NULL,         -- 'table', 'view'
    kind TEXT NOT NULL,         -- the name without prefix and generation
    generation INTEGER NOT NULL -- 0 for a view
) WITHOUT ROWID;

-- One row: the generation that the views show.
CREATE TABLE "@prefix@nightjar_current" (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL,
    switched INTEGER NOT NULL
);

-- History: one row for each generation ever published, kept when its tables are gone.
CREATE TABLE "@prefix@nightjar_generations" (
    generation INTEGER PRIMARY KEY,
    published INTEGER NOT NULL,
    pipeline TEXT NOT NULL,
    version TEXT NOT NULL, -- of nightjar
    config_hash TEXT NOT NULL,
    seed INTEGER NOT NULL,
    run_started INTEGER NOT NULL,
    build_started INTEGER NOT NULL,
    dimension INTEGER NOT NULL,
    temperature REAL NOT NULL,       -- tau: score = cosine / tau + the item's bias
    popularity_weight REAL NOT NULL, -- beta: bias = beta * log(1 + n_i)
    n_interactions INTEGER NOT NULL,
    n_users INTEGER NOT NULL, -- with recommendations
    n_items INTEGER NOT NULL, -- known to the pipeline
    n_recommendations INTEGER NOT NULL,
    n_popular_items INTEGER NOT NULL,
    n_similar_items INTEGER NOT NULL,
    n_user_embeddings INTEGER NOT NULL,
    n_item_embeddings INTEGER NOT NULL,
    checksum TEXT NOT NULL -- over all rows in key order; the same content gives the same one
);

CREATE TABLE "@prefix@nightjar_runs" (
    run INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,
    pipeline TEXT NOT NULL,
    version TEXT NOT NULL,
    config_hash TEXT NOT NULL,
    seed INTEGER NOT NULL,
    started INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    n_interactions INTEGER NOT NULL
);

CREATE TABLE "@prefix@nightjar_metrics" (
    generation INTEGER NOT NULL,
    name TEXT NOT NULL,    -- 'ndcg@20'
    model TEXT NOT NULL,   -- 'nightjar', 'popularity', 'item_item'
    "group" TEXT NOT NULL, -- 'all', 'users:1-4'
    value REAL NOT NULL,
    PRIMARY KEY (generation, name, model, "group")
) WITHOUT ROWID;
