-- somebody has made a view that is the log; the tables behind it are not readable as one
-- expect SELECT user_id, item_id, created_at
-- expect FROM choices
CREATE TABLE raw(a INTEGER, b INTEGER, c INTEGER);
CREATE VIEW choices AS SELECT a AS user_id, b AS item_id, c AS created_at FROM raw;
CREATE VIEW broken AS SELECT x FROM gone;
INSERT INTO raw SELECT value * 7919 % 60 + 1, value * 31 % 40 + 1, 1700000000 + value * 1800 FROM generate_series(1, 3000);
