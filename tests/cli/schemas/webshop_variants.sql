-- lines name a variant of a product, times are milliseconds, a cart and a list of wishes stand beside
-- expect variants.product_id AS item_id
-- expect JOIN sales_orders ON sales_orders.id = sales_order_lines.order_id
-- expect JOIN variants ON variants.id = sales_order_lines.variant_id
-- expect (created_at, Unix
-- expect SELECT id AS item_id, product_type, embedding FROM products
-- expect eligible: "SELECT id AS item_id FROM products WHERE coalesce(in_stock, 0) > 0"
-- without stock_note
CREATE TABLE customers(id INTEGER PRIMARY KEY, email TEXT);
CREATE TABLE products(id INTEGER PRIMARY KEY, title TEXT, product_type TEXT,
    in_stock INTEGER, archived BOOLEAN, stock_note TEXT, embedding BLOB);
CREATE TABLE variants(id INTEGER PRIMARY KEY, product_id INTEGER REFERENCES products(id), sku TEXT, size TEXT, price REAL);
CREATE TABLE sales_orders(id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id), created_at INTEGER);
CREATE TABLE sales_order_lines(id INTEGER PRIMARY KEY, order_id INTEGER REFERENCES sales_orders(id),
    variant_id INTEGER REFERENCES variants(id), qty INTEGER);
INSERT INTO customers SELECT value, value || '@example.org' FROM generate_series(1, 50);
INSERT INTO products SELECT value, 'thing ' || value, 'shirt', 1, 0, '', x'0000803f00000040' FROM generate_series(1, 20);
INSERT INTO variants SELECT value, (value + 1) / 2, 's' || value, 'M', 1 FROM generate_series(1, 40);
INSERT INTO sales_orders SELECT value, value * 7919 % 50 + 1, (1700000000 + value * 9000) * 1000 FROM generate_series(1, 600);
INSERT INTO sales_order_lines SELECT value, (value + 1) / 2, value * 31 % 40 + 1, 1 FROM generate_series(1, 1200);
