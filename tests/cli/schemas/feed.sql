-- kinds of events that are no choices, and dislikes; what was recommended there is no log; a view over both is not needed
-- expect FROM feed_events
-- expect impression: 0
-- expect unsave: 0
-- expect dislikes: [hide, thumbs_down]
-- without recommendations
CREATE TABLE users(id TEXT PRIMARY KEY, email TEXT);
CREATE TABLE stories(id TEXT PRIMARY KEY, title TEXT, topic TEXT);
CREATE TABLE feed_events(id INTEGER PRIMARY KEY, user_id TEXT, story_id TEXT, event_type TEXT, occurred_at TEXT);
CREATE TABLE recommendations(user_id TEXT, story_id TEXT, rank INTEGER, created_at TEXT);
CREATE VIEW clicks AS SELECT user_id, story_id, occurred_at FROM feed_events WHERE event_type = 'click';
INSERT INTO users(id) SELECT 'u' || value FROM generate_series(1, 60);
INSERT INTO stories SELECT 's' || value, 'story', 'x' FROM generate_series(1, 40);
INSERT INTO feed_events SELECT value, 'u' || (value * 7919 % 60 + 1), 's' || (value * 31 % 40 + 1),
    CASE value % 12 WHEN 0 THEN 'save' WHEN 1 THEN 'hide' WHEN 2 THEN 'unsave' WHEN 3 THEN 'thumbs_down' WHEN 4 THEN 'click' WHEN 5 THEN 'click' ELSE 'impression' END,
    datetime(1700000000 + value * 1800, 'unixepoch') FROM generate_series(1, 4000);
INSERT INTO recommendations SELECT user_id, story_id, 1, occurred_at FROM feed_events;
