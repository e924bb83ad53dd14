-- invoices and their lines; playlists are no log
-- expect SELECT invoices.CustomerId AS user_id, invoice_items.TrackId AS item_id, invoices.InvoiceDate AS created_at
-- expect FROM invoice_items JOIN invoices ON invoices.InvoiceId = invoice_items.InvoiceId
-- expect tracks.Name AS title, genres.Name AS category
CREATE TABLE artists(ArtistId INTEGER PRIMARY KEY, Name TEXT);
CREATE TABLE albums(AlbumId INTEGER PRIMARY KEY, Title TEXT, ArtistId INTEGER REFERENCES artists(ArtistId));
CREATE TABLE genres(GenreId INTEGER PRIMARY KEY, Name TEXT);
CREATE TABLE tracks(TrackId INTEGER PRIMARY KEY, Name TEXT, AlbumId INTEGER REFERENCES albums(AlbumId), MediaTypeId INTEGER,
    GenreId INTEGER REFERENCES genres(GenreId), Composer TEXT, Milliseconds INTEGER, Bytes INTEGER, UnitPrice REAL);
CREATE TABLE employees(EmployeeId INTEGER PRIMARY KEY, LastName TEXT, FirstName TEXT, ReportsTo INTEGER REFERENCES employees(EmployeeId));
CREATE TABLE customers(CustomerId INTEGER PRIMARY KEY, FirstName TEXT, LastName TEXT, Email TEXT,
    SupportRepId INTEGER REFERENCES employees(EmployeeId));
CREATE TABLE invoices(InvoiceId INTEGER PRIMARY KEY, CustomerId INTEGER REFERENCES customers(CustomerId), InvoiceDate DATETIME, Total REAL);
CREATE TABLE invoice_items(InvoiceLineId INTEGER PRIMARY KEY, InvoiceId INTEGER REFERENCES invoices(InvoiceId),
    TrackId INTEGER REFERENCES tracks(TrackId), UnitPrice REAL, Quantity INTEGER);
CREATE TABLE playlists(PlaylistId INTEGER PRIMARY KEY, Name TEXT);
CREATE TABLE playlist_track(PlaylistId INTEGER REFERENCES playlists(PlaylistId), TrackId INTEGER REFERENCES tracks(TrackId));
INSERT INTO customers(CustomerId) SELECT value FROM generate_series(1, 59);
INSERT INTO tracks(TrackId, Name) SELECT value, 'song ' || value FROM generate_series(1, 60);
INSERT INTO playlist_track SELECT value % 5, value % 60 + 1 FROM generate_series(1, 5000);
INSERT INTO invoices SELECT value, value * 7919 % 59 + 1, datetime(1230768000 + value * 380000, 'unixepoch'), 1 FROM generate_series(1, 400);
INSERT INTO invoice_items SELECT value, (value + 4) / 5, value * 31 % 60 + 1, 1, 1 FROM generate_series(1, 2000);
