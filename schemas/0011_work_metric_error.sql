-- The standard error of the metric that the gate goes by: of the model nightjar that of its mean; of
-- another model that of nightjar's mean difference to it, user by user. NULL: it was not measured.
ALTER TABLE run_metric ADD COLUMN error REAL;
