-- Of each array's bytes, so that parts of a stored result can be loaded and checked alone; NULL in
-- results of earlier versions.
ALTER TABLE artifact_array ADD COLUMN hash TEXT;
