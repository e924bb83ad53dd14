-- What the gate measures has the names of its rules: list_item_exposure of the model data is
-- item_exposure of the model lists.
UPDATE OR REPLACE "@prefix@nightjar_metrics" SET name = substr(name, 6), model = 'lists'
WHERE model = 'data' AND name IN
    ('list_users', 'list_rows', 'list_coverage', 'list_item_exposure', 'list_rejected');
