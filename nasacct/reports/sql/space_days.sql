-- What was left to each dataset on each whole day of UTC, in the mean?
-- Parameters: $lo, $hi (µs of UTC, edges of days).  View: space_1d.
-- Columns: node, dataset (its guid), day (days since 1970), used, available, quota, refquota (bytes; NULL: unknown, or no
-- such quota for all of the day).
SELECT node, dataset, t0_us // 86400000000 AS day,
       CAST(sum(used_bytes) AS DOUBLE) / sum(parts) AS used,
       CAST(sum(available_bytes) AS DOUBLE) / sum(parts) AS available,
       CASE WHEN count(quota_bytes) = count(*) THEN CAST(sum(quota_bytes) AS DOUBLE) / sum(parts) END AS quota,
       CASE WHEN count(refquota_bytes) = count(*) THEN CAST(sum(refquota_bytes) AS DOUBLE) / sum(parts) END AS refquota
FROM space_1d WHERE t0_us >= $lo AND t0_us < $hi
GROUP BY node, dataset, t0_us // 86400000000
HAVING count(available_bytes) = count(*) AND count(used_bytes) = count(*)
ORDER BY node, dataset, day
