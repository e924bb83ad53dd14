-- How many components of a generation's vectors, the last ones, came from reading sequences; -1: of a
-- nightjar that did not say. A training that starts from the others must know which those are.
ALTER TABLE "@prefix@nightjar_generations" ADD COLUMN sequence_dimension INTEGER NOT NULL DEFAULT -1;
