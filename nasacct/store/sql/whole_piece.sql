-- All rows of one of them.
SELECT * FROM {view}
