-- The third term of the score of model and cold rows, beside cosine / tau and the item's bias:
-- gamma * c(u, i) * n_i^p / (the largest c(u, j) * n_j^p over the items that the user does not have).
-- Generations from before it have none.
ALTER TABLE "@prefix@nightjar_generations"
    ADD COLUMN evidence_weight REAL NOT NULL DEFAULT 0; -- gamma; 0: score = cosine / tau + bias
ALTER TABLE "@prefix@nightjar_generations"
    ADD COLUMN evidence_exponent REAL NOT NULL DEFAULT 0; -- p
