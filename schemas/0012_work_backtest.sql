-- What the last `nightjar backtest` found, for the report: a value for each evening, metric and model.
CREATE TABLE backtest (
    evening INTEGER NOT NULL, -- Unix seconds
    name TEXT NOT NULL,       -- 'ndcg@20'
    model TEXT NOT NULL,      -- 'nightjar', 'recent_popularity', 'popularity'
    value REAL NOT NULL,
    n_users INTEGER NOT NULL, -- that were judged
    made INTEGER NOT NULL,    -- Unix seconds: when
    PRIMARY KEY (evening, name, model)
) WITHOUT ROWID;
