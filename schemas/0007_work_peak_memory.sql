-- The most memory that the process had used by the end of the stage, in bytes.
ALTER TABLE stage_run ADD COLUMN peak_rss INTEGER;
