-- How much did each procedure of a server grow, row by row, in a span of time that ends with its node's newest data?
-- Parameters: $server, $since, $until (timestamps), $lo (the same as $since in µs of UTC).  Views: inside.
-- Columns: t0_us, t1_us (µs of UTC), and every procedure's calls and time (calls, µs; NULL when unknown).
SELECT * EXCLUDE (node, server, epoch, t0, t1, before_us, after_us, cycles, whole, begun_us, over_us)
FROM inside WHERE t0 < $until AND t1 >= $since AND t1_us > $lo AND server = $server
ORDER BY t0_us
