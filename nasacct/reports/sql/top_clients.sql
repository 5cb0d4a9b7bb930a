-- What does each client of a server move, per second, in a span of time that ends with its node's newest data?
-- Parameters: $server, $since, $until (timestamps), $lo, $hi (the same in µs of UTC).  Views: clients.
-- Columns: client (its id); received_bytes_s, sent_bytes_s (bytes/s), each NULL when unknown; seen (timestamp of the
-- newest reading).
--
-- Usage that reaches over the beginning counts pro rata. A client that came in the span has rates since then.
WITH shares AS (
    SELECT client, t0_us, t1, received_bytes, sent_bytes,
           CASE WHEN t1_us > t0_us
                THEN CAST(least(t1_us, $hi) - greatest(t0_us, $lo) AS DOUBLE) / (t1_us - t0_us)
                ELSE 1 END AS share
    FROM clients WHERE t0 < $until AND t1 >= $since AND t1_us > $lo AND server = $server AND client IS NOT NULL
)
SELECT client,
       sum(received_bytes * share) / length_s AS received_bytes_s,
       sum(sent_bytes * share) / length_s AS sent_bytes_s,
       max(t1) AS seen
FROM (
    SELECT *, greatest(CAST($hi - greatest(min(t0_us) OVER (PARTITION BY client), $lo) AS DOUBLE), 1) / 1000000
              AS length_s
    FROM shares
)
GROUP BY client, length_s
ORDER BY client
