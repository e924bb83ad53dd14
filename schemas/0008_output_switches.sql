-- What the views have shown, and since when: a row for each publish and each rollback. What became of a
-- generation's lists is judged of the time between its switch and the next. Of generations from before
-- it is their publishing, and the last rollback where it still stands.
CREATE TABLE "@prefix@nightjar_switches" (
    switch INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,
    switched INTEGER NOT NULL
);
INSERT INTO "@prefix@nightjar_switches" (generation, switched)
    SELECT generation, published FROM "@prefix@nightjar_generations" ORDER BY generation;
INSERT INTO "@prefix@nightjar_switches" (generation, switched)
    SELECT generation, switched FROM "@prefix@nightjar_current" WHERE instead_of NOT NULL;
