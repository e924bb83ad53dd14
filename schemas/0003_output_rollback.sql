-- The generation that a rollback has put away: what was published last, though the views show an
-- older one. NULL: the views show what was published last.
ALTER TABLE "@prefix@nightjar_current" ADD COLUMN instead_of INTEGER;
