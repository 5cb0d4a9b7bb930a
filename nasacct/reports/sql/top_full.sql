-- In what part of the sampled time were all threads of each server of a node busy, in a span of time?
-- Parameters: $since, $until (timestamps), $lo, $hi (the same in µs of UTC).  Views: inflight.
-- Columns: server; busy (0..1 of the time that samples stand for, NULL when nothing was sampled).
--
-- Usage that reaches over the beginning counts pro rata.
WITH shares AS (
    SELECT *, CASE WHEN t1_us > t0_us
                   THEN CAST(least(t1_us, $hi) - greatest(t0_us, $lo) AS DOUBLE) / (t1_us - t0_us)
                   ELSE 1 END AS share
    FROM inflight
    WHERE t0 < $until AND t1 >= $since AND t1_us > $lo AND operation IS NULL AND server IS NOT NULL
)
SELECT server, sum(full_us * share) / nullif(sum(sampled_us * share), 0) AS busy
FROM shares
GROUP BY server
ORDER BY server
