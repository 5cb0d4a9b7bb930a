-- How long did the calls take that each server of a node answered in a span of time, which ends with its newest data?
-- Parameters: $since, $until (timestamps), $lo, $hi (the same in µs of UTC).  Views: inside.
-- Columns: server; answered (calls), thread_us (µs of its threads' time), each NULL when unknown.
--
-- Usage that reaches over the beginning counts pro rata.
WITH shares AS (
    SELECT *, CASE WHEN t1_us > t0_us
                   THEN CAST(least(t1_us, $hi) - greatest(t0_us, $lo) AS DOUBLE) / (t1_us - t0_us)
                   ELSE 1 END AS share
    FROM inside WHERE t0 < $until AND t1 >= $since AND t1_us > $lo AND server IS NOT NULL
)
SELECT server, sum(calls * share) AS answered, sum(thread_us * share) AS thread_us
FROM shares
GROUP BY server
ORDER BY server
