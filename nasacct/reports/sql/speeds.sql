-- What could the links of the node itself carry?
-- Parameters: $lo, $hi (µs of UTC), $back (µs: how long before $lo somebody may have looked last).  View: speeds.
-- Columns: link, t1_us, mbit_s (then, each way; NULL: unknown).
SELECT link, t1_us, mbit_s FROM speeds WHERE t1_us > $lo - $back AND t0_us < $hi ORDER BY link, t1_us
