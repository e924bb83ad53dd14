-- Which draw of the validation part a trial was judged on; 1: the one that `interactions` cut.
ALTER TABLE search_trial ADD COLUMN fold INTEGER NOT NULL DEFAULT 1;
