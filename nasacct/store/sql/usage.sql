-- One stream's usage: what segments hold and what is still in the journal.
-- Columns: as in nasacct/store/tables.py, t0_us, t1_us (the same times in µs of UTC as integers), m_unknown
-- (1: the bounded measure m has no value or no bound, else 0).
-- {columns} and {source} are filled in by nasacct/store/views.py.
SELECT {columns}, epoch_us(t0) AS t0_us, epoch_us(t1) AS t1_us
FROM ({source})
