-- The rows of the journal's tail, where there is no segment.
-- {view} is filled in by nasacct/store/warehouse.py.
SELECT * FROM tail_{view}
