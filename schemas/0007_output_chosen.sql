-- What the search of `train` chose for a generation: NAME=VALUE of every setting that was left open, with
-- spaces between; empty where nothing was. The search of the next night starts there.
ALTER TABLE "@prefix@nightjar_generations" ADD COLUMN chosen TEXT NOT NULL DEFAULT '';
