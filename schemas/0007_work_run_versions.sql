-- What a run's numbers depend on beside data and settings, and why the gate refused.
ALTER TABLE run ADD COLUMN libraries TEXT; -- 'SQLite 3.40.1, OpenBLAS 0.3.21 ...'
ALTER TABLE run ADD COLUMN cpu TEXT;       -- vector kernels in use and number of threads
