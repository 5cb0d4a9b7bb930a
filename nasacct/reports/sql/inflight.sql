-- Who waits inside nfsd, for what and how long, in a span of time?
-- Parameters: $lo, $hi (µs of UTC), $server (NULL: all).  Views: inflight, nfsd.
-- Columns: node, server; client (its id) and operation, both NULL in the row of the server itself; in_flight_us (time in
-- flight of calls that were sampled), sampled_calls (in how many samples they were, each call of each sample); of the
-- server passed_us (how much time passed), sampled_us (how much of that samples stand for), full_us (of this, in how much
-- all threads were busy), span_us (from its first to its last row), calls (that nfsd counted in that time; NULL when
-- unknown).
--
-- Usage that reaches over an edge of the span counts pro rata. What is unknown of in-flight time is time that was not
-- sampled, so it is in no sum. client NULL with an operation: the kernel told no address.
WITH parts AS (
    SELECT *, CASE WHEN t1_us > t0_us
                   THEN CAST(least(t1_us, $hi) - greatest(t0_us, $lo) AS DOUBLE) / (t1_us - t0_us)
                   ELSE 1 END AS share
    FROM inflight WHERE t1_us >= $lo AND t0_us <= $hi AND ($server IS NULL OR server = $server)
),
waits AS (
    SELECT node, server, client, operation, grouping(operation) AS whole,
           CAST(round(coalesce(sum(in_flight_us * share), 0)) AS BIGINT) AS in_flight_us,
           CAST(round(coalesce(sum(sampled_calls * share), 0)) AS BIGINT) AS sampled_calls,
           CASE WHEN grouping(operation) = 1 THEN CAST(round(sum(passed_us * share)) AS BIGINT) END AS passed_us,
           CASE WHEN grouping(operation) = 1 THEN CAST(round(sum(sampled_us * share)) AS BIGINT) END AS sampled_us,
           CASE WHEN grouping(operation) = 1 THEN CAST(round(sum(full_us * share)) AS BIGINT) END AS full_us,
           greatest(min(t0_us), $lo) AS from_us, least(max(t1_us), $hi) AS to_us
    FROM parts
    GROUP BY GROUPING SETS ((node, server), (node, server, client, operation))
    HAVING whole = 1 OR (operation IS NOT NULL AND in_flight_us > 0)
),
counted AS (
    SELECT nfsd.node, nfsd.server,
           CASE WHEN count(*) = count(calls) THEN CAST(round(sum(
               calls * CASE WHEN t1_us > t0_us
                            THEN CAST(least(t1_us, to_us) - greatest(t0_us, from_us) AS DOUBLE) / (t1_us - t0_us)
                            ELSE 1 END)) AS BIGINT) END AS calls
    FROM nfsd JOIN waits ON waits.whole = 1 AND nfsd.node = waits.node AND nfsd.server = waits.server
    WHERE t1_us >= from_us AND t0_us <= to_us
    GROUP BY nfsd.node, nfsd.server
)
SELECT waits.node, waits.server, client, operation, in_flight_us, sampled_calls, passed_us, sampled_us, full_us,
       CASE WHEN whole = 1 THEN to_us - from_us END AS span_us, CASE WHEN whole = 1 THEN counted.calls END AS calls
FROM waits LEFT JOIN counted USING (node, server)
ORDER BY node, server, whole DESC, in_flight_us DESC, operation, client
