-- How many calls of each server of a node took how long, in a span of time that ends with its newest data?
-- Parameters: $since, $until (timestamps), $lo, $hi (the same in µs of UTC).  Views: latency.
-- Columns: server; calls_NN (that took at most 2^NN µs, and more than half of it; calls_23: all that took longer).
--
-- Usage that reaches over the beginning counts pro rata.
WITH shares AS (
    SELECT *, CASE WHEN t1_us > t0_us
                   THEN CAST(least(t1_us, $hi) - greatest(t0_us, $lo) AS DOUBLE) / (t1_us - t0_us)
                   ELSE 1 END AS share
    FROM latency WHERE t0 < $until AND t1 >= $since AND t1_us > $lo AND server IS NOT NULL
)
SELECT server,
       sum(calls_00 * share) AS calls_00, sum(calls_01 * share) AS calls_01, sum(calls_02 * share) AS calls_02,
       sum(calls_03 * share) AS calls_03, sum(calls_04 * share) AS calls_04, sum(calls_05 * share) AS calls_05,
       sum(calls_06 * share) AS calls_06, sum(calls_07 * share) AS calls_07, sum(calls_08 * share) AS calls_08,
       sum(calls_09 * share) AS calls_09, sum(calls_10 * share) AS calls_10, sum(calls_11 * share) AS calls_11,
       sum(calls_12 * share) AS calls_12, sum(calls_13 * share) AS calls_13, sum(calls_14 * share) AS calls_14,
       sum(calls_15 * share) AS calls_15, sum(calls_16 * share) AS calls_16, sum(calls_17 * share) AS calls_17,
       sum(calls_18 * share) AS calls_18, sum(calls_19 * share) AS calls_19, sum(calls_20 * share) AS calls_20,
       sum(calls_21 * share) AS calls_21, sum(calls_22 * share) AS calls_22, sum(calls_23 * share) AS calls_23
FROM shares
GROUP BY server
ORDER BY server
