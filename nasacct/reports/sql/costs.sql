-- What did reading each source cost in a span of time?
-- Parameters: $since, $until (timestamps), $lo, $hi (the same in µs of UTC).  Views: health.
-- Columns: source; cpu_us (µs of CPU time), span_us (of how much of the span that is known), failed (subjects that could
-- not be read, summed over cycles), late (cycles in which it was not ready).
--
-- What a reading cost is of the time since the reading before it, and counts pro rata.
WITH rows AS (
    SELECT source_name AS source, cpu_us, failed, late, cycles,
           CAST(least(t1_us, $hi) - greatest(t0_us, $lo) AS DOUBLE) AS part_us,
           greatest(before_us + (t1_us - t0_us) + after_us, 1) AS whole_us
    FROM health WHERE t0 < $until AND t1 >= $since AND t1_us > $lo AND t0_us < $hi
)
SELECT source, sum(cpu_us * cycles * part_us / whole_us) AS cpu_us, sum(part_us) AS span_us,
       sum(failed * cycles * part_us / whole_us) AS failed, sum(late * cycles * part_us / whole_us) AS late
FROM rows
GROUP BY source
ORDER BY source
