-- What a score is the sum of beside cosine / tau, the item's bias and the evidence: a JSON array of
-- {part, half_life_days, half_places, weight}, the part as recommendation_parts calls it, a half-life or
-- half_places of 0 where age or place do not count. Generations from before have nothing more.
ALTER TABLE "@prefix@nightjar_generations" ADD COLUMN score_parts TEXT NOT NULL DEFAULT '[]';
