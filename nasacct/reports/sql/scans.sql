-- How much did disks read for scrubs, resilvers and checks?
-- Parameters: $lo, $hi (µs of UTC).  View: scans.
-- Columns: node, pool (its id), function, t0_us, t1_us (from when to when), bytes (that all disks of the pool read).
SELECT node, pool, function, t0_us, t1_us, issued_bytes * copies_hundredths // 100 AS bytes
FROM scans WHERE t1_us > $lo AND t0_us < $hi AND t1_us > t0_us AND issued_bytes > 0
ORDER BY node, pool, function, t0_us
