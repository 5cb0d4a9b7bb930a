-- How long were all threads of a server busy, of servers of which they ever were?
-- Parameters: $lo, $hi (µs of UTC).  View: inflight.
-- Columns: server, t0_us, t1_us, full_us (of that time), sampled_us (that samples stand for).
WITH seen AS (
    SELECT server, t0_us, t1_us, full_us, sampled_us FROM inflight
    WHERE t1_us > $lo AND t0_us < $hi AND operation IS NULL AND server IS NOT NULL
)
SELECT server, t0_us, t1_us, full_us, sampled_us
FROM seen WHERE server IN (SELECT server FROM seen WHERE full_us > 0)
ORDER BY server, t0_us
