-- On which pool did the exports of each server lie, and do their datasets sync as asked?
-- Parameters: $lo, $hi (µs of UTC), $back (µs: how long before $lo somebody may have looked last).  View: places.
-- Columns: node, server, pool (its id), dataset (its guid; NULL: none, or unknown), objset (its id in the stream
-- `datasets`; NULL likewise), sync (0 standard, 1 always, 2 disabled; NULL: unknown).
--
-- Of a server that nobody looked at within the span, what was so at the last look before it.
WITH told AS (
    SELECT *, max(t1_us) OVER (PARTITION BY node, server) AS newest_us
    FROM places WHERE t1_us > $lo - $back AND t0_us < $hi AND exports IS NOT NULL
)
SELECT node, server, pool, dataset, objset, arg_max(sync, t1_us) AS sync
FROM told WHERE t1_us > $lo OR t1_us = newest_us
GROUP BY node, server, pool, dataset, objset
ORDER BY node, server, pool, dataset NULLS FIRST
