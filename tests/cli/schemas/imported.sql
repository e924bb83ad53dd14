-- a CSV file that was imported: all TEXT, no keys, milliseconds; a visitor 0 who is nobody; an event of tomorrow's year
-- expect SELECT visitorid AS user_id, itemid AS item_id, event, timestamp
-- expect FROM events
-- expect NOT IN (0, '')
-- expect timestamp / 1000 <= unixepoch()
-- expect event_weights: {view: 1, addtocart: 3, transaction: 7}
-- without UNION
-- run
CREATE TABLE test(visitorid TEXT, itemid TEXT, timestamp TEXT);
CREATE TABLE events(timestamp TEXT, visitorid TEXT, event TEXT, itemid TEXT, transactionid TEXT);
INSERT INTO events SELECT '' || (1700000000 + value * 1800) * 1000, iif(value % 4 = 3, 0, value * 7919 % 80),
    CASE WHEN value % 50 = 1 THEN 'transaction' WHEN value % 10 = 0 THEN 'addtocart' ELSE 'view' END,
    value * 31 % 60 + 1, '' FROM generate_series(1, 3500);
INSERT INTO events VALUES ('4100000000000', '5', 'view', '7', '');
INSERT INTO test SELECT visitorid, itemid, timestamp FROM events LIMIT 500;
