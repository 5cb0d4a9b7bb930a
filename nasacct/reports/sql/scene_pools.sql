-- How long did a ZFS pool's transaction groups take to sync?
-- Parameters: $lo, $hi (µs of UTC), $pool (its guid).  View: pools.
-- Columns: node, t0_us, t1_us (from when to when), longest_sync_us (of those that were committed then). NULL where unknown.
SELECT node, t0_us, t1_us, longest_sync_us
FROM pools WHERE t1_us > $lo AND t0_us < $hi AND pool = $pool
ORDER BY node, t0_us
