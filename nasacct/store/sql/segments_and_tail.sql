-- The rows of segments and of the journal's tail; columns that an older segment lacks are NULL.
-- {files} and {view} are filled in by nasacct/store/warehouse.py.
SELECT * FROM read_parquet([{files}], union_by_name = true, hive_partitioning = false)
UNION ALL BY NAME
SELECT * FROM tail_{view}
