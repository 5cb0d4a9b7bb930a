-- Which clients of each server moved how much, and waited how long inside it, in a span of time?
-- Parameters: $lo, $hi (µs of UTC).  Views: clients, inflight.
-- Columns: node, server, client (its id); bytes (received and sent), in_flight_us (time in flight of its calls that were
-- sampled). NULL where the source tells nothing.
--
-- Usage that reaches over an edge of the span counts pro rata.
WITH told AS (
    SELECT node, server, client, t0_us, t1_us, received_bytes + sent_bytes AS bytes, CAST(NULL AS BIGINT) AS in_flight_us
    FROM clients
    UNION ALL
    SELECT node, server, client, t0_us, t1_us, NULL, in_flight_us FROM inflight WHERE operation IS NOT NULL
),
parts AS (
    SELECT *, CASE WHEN t1_us > t0_us
                   THEN CAST(least(t1_us, $hi) - greatest(t0_us, $lo) AS DOUBLE) / (t1_us - t0_us)
                   ELSE 1 END AS share
    FROM told WHERE t1_us > $lo AND t0_us < $hi AND server IS NOT NULL AND client IS NOT NULL
)
SELECT node, server, client,
       CAST(round(sum(bytes * share)) AS BIGINT) AS bytes,
       CAST(round(sum(in_flight_us * share)) AS BIGINT) AS in_flight_us
FROM parts
GROUP BY node, server, client
ORDER BY node, server, client
