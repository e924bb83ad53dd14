-- The training curve: one row an epoch, a column for each figure (training/curve.h), NULL where it was
-- not taken. What earlier runs have left comes along.
CREATE TEMP TABLE curve_before AS SELECT run, stage, epoch, name, value FROM training_curve;
DROP TABLE training_curve;

CREATE TABLE training_curve (
    run INTEGER NOT NULL,
    stage TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    loss REAL,                -- mean per positive
    learning_rate REAL,       -- at the epoch's end
    validation REAL,          -- the metric that chooses the epoch
    positive_similarity REAL, -- mean cosine with positives
    negative_similarity REAL, -- with negatives, weighted as the loss weighs them
    effective_negatives REAL, -- how many negatives carry the weight
    alignment REAL,           -- mean squared distance of positives: lower is closer
    uniformity_users REAL,    -- log mean exp(-2 squared distance): lower is more even
    uniformity_items REAL,
    norm REAL,                -- mean length of the weights
    dead_dimensions REAL,     -- share of the items' dimensions that hardly vary
    participation REAL,       -- dimensions that the items use
    PRIMARY KEY (run, stage, epoch)
) WITHOUT ROWID;

INSERT INTO training_curve (run, stage, epoch, loss, learning_rate, validation)
SELECT run, stage, epoch,
    max(CASE WHEN name = 'loss' THEN value END),
    max(CASE WHEN name = 'learning_rate' THEN value END),
    max(CASE WHEN name = 'validation' THEN value END)
FROM curve_before GROUP BY run, stage, epoch;
DROP TABLE temp.curve_before;
