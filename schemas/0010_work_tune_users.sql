-- The metric of each validation user, 8 bytes each: trials are compared user by user. Those of before
-- have none and are made again.
DELETE FROM tune_trial;
ALTER TABLE tune_trial ADD COLUMN user_values BLOB;
