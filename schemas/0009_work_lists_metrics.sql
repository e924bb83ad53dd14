-- What the gate measures has the names of its rules: list_item_exposure of the model data is
-- item_exposure of the model lists, with which the next night is compared.
UPDATE OR REPLACE run_metric SET name = substr(name, 6), model = 'lists'
WHERE model = 'data' AND name IN
    ('list_users', 'list_rows', 'list_coverage', 'list_item_exposure', 'list_rejected');
