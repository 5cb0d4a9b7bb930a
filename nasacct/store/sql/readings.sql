-- One stream's readings: what segments hold and what is still in the journal.
-- Columns: as in nasacct/store/tables.py, and t_us, the time in µs of UTC as an integer.
-- {view}, {columns} and {source} are filled in by nasacct/store/warehouse.py.
CREATE TEMP VIEW {view} AS
SELECT {columns}, epoch_us(t) AS t_us
FROM ({source})
