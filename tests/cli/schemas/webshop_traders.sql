-- names in CamelCase, TEXT ids, a table whose name has a blank
-- expect SELECT Orders.CustomerID AS user_id, "Order Details".ProductID AS item_id,
-- expect FROM "Order Details" JOIN Orders ON Orders.OrderID = "Order Details".OrderID
-- expect Orders.OrderDate AS created_at
-- expect Products.ProductName AS title, Categories.CategoryName AS category
-- without ShippedDate
CREATE TABLE Customers(CustomerID TEXT PRIMARY KEY, CompanyName TEXT, ContactName TEXT, Country TEXT);
CREATE TABLE Employees(EmployeeID INTEGER PRIMARY KEY, LastName TEXT, FirstName TEXT, BirthDate TEXT, ReportsTo INTEGER);
CREATE TABLE Categories(CategoryID INTEGER PRIMARY KEY, CategoryName TEXT, Description TEXT);
CREATE TABLE Suppliers(SupplierID INTEGER PRIMARY KEY, CompanyName TEXT);
CREATE TABLE Products(ProductID INTEGER PRIMARY KEY, ProductName TEXT, SupplierID INTEGER, CategoryID INTEGER, UnitPrice REAL);
CREATE TABLE Orders(OrderID INTEGER PRIMARY KEY, CustomerID TEXT, EmployeeID INTEGER, OrderDate DATETIME, RequiredDate DATETIME,
    ShippedDate DATETIME, ShipVia INTEGER, Freight REAL);
CREATE TABLE "Order Details"(OrderID INTEGER, ProductID INTEGER, UnitPrice REAL, Quantity INTEGER, Discount REAL,
    PRIMARY KEY (OrderID, ProductID));
INSERT INTO Customers(CustomerID, CompanyName) SELECT 'C' || value, 'x' FROM generate_series(1, 50);
INSERT INTO Products SELECT value, 'thing ' || value, 1, 1, 1 FROM generate_series(1, 40);
INSERT INTO Categories(CategoryID, CategoryName) VALUES (1, 'all');
INSERT INTO Orders SELECT value, 'C' || (value * 7919 % 50 + 1), 1, date(1600000000 + value * 40000, 'unixepoch'), NULL, NULL, 1, 0
    FROM generate_series(1, 800);
INSERT INTO "Order Details" SELECT o.value, (o.value * 31 + l.value * 7) % 40 + 1, 1, 1, 0
    FROM generate_series(1, 800) AS o, generate_series(1, 3) AS l;
