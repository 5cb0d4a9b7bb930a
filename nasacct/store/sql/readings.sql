-- One stream's readings: what segments hold and what is still in the journal.
-- Columns: as in nasacct/store/tables.py, and t_us, the time in µs of UTC as an integer.
-- {columns} and {source} are filled in by nasacct/store/views.py.
SELECT {columns}, epoch_us(t) AS t_us
FROM ({source})
