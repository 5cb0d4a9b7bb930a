-- The sums that rollups hold, in the buckets that begin from {since_us} up to before {until_us}.
-- {files} and the rest are filled in by nasacct/store/views.py.
SELECT {columns}
FROM read_parquet([{files}], union_by_name = true, hive_partitioning = false)
WHERE bucket >= make_timestamptz({since_us}) AND bucket < make_timestamptz({until_us})
