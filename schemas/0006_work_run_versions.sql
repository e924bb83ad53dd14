-- What a run's numbers depend on beside data and settings, and what they were measured on.
ALTER TABLE run ADD COLUMN libraries TEXT; -- 'SQLite 3.40.1, OpenBLAS 0.3.21 ...'
ALTER TABLE run ADD COLUMN cpu TEXT;       -- vector kernels in use and number of threads
ALTER TABLE run ADD COLUMN judged_on TEXT; -- the part that evaluate read; NULL: nothing was measured
