-- Which disks made up which pool, and what was ZFS's module told?
-- Parameters: $lo, $hi (µs of UTC), $back (µs: how long before $lo somebody may have looked last).  View: layout.
-- Columns: node, pool (its id), name, system (zfs, md, disk), role, device (NULL: the pool itself), rotational (1, 0; NULL:
-- unknown), txg_timeout_s (of the pool itself).
--
-- Of a pool that nobody looked at within the span, for it may have stood still, what was so at the last look before it.
WITH told AS (
    SELECT *, max(t1_us) OVER (PARTITION BY node, pool) AS newest_us
    FROM layout WHERE t1_us > $lo - $back AND t0_us < $hi AND slices IS NOT NULL
)
SELECT node, pool, name, system, role, device, arg_max(rotational, t1_us) AS rotational,
       arg_max(txg_timeout_s, t1_us) AS txg_timeout_s
FROM told WHERE t1_us > $lo OR t1_us = newest_us
GROUP BY node, pool, name, system, role, device
ORDER BY node, system, name, pool, role NULLS FIRST, device
