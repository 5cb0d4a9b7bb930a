-- What does each dataset hold, and how much more may it hold?
-- Parameter: $lo (µs of UTC; a dataset that was not read since is left out).  View: space.
-- Columns: node, dataset (its guid), at_us (when it was read last, µs of UTC), used_bytes (with all below it and its
-- snapshots), referenced_bytes (its own), available_bytes (how much more, by all quotas and the pool), quota_bytes,
-- refquota_bytes (NULL: none), snapshots_bytes.
--
-- The end of one that is no more is a row in which nothing is known.
WITH read AS (
    SELECT *, row_number() OVER (PARTITION BY node, dataset ORDER BY t1_us DESC, t0_us DESC) AS nth
    FROM space WHERE t1_us >= $lo
)
SELECT node, dataset, t1_us AS at_us, used_bytes, referenced_bytes, available_bytes, quota_bytes, refquota_bytes,
       snapshots_bytes
FROM read WHERE nth = 1 AND used_bytes IS NOT NULL
ORDER BY node, dataset
