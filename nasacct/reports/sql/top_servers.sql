-- What does each server of a node move, per second, in a span of time that ends with its newest data?
-- Parameters: $since, $until (timestamps), $lo, $hi (the same in µs of UTC).  Views: nfsd, links.
-- Columns: server; read_bytes_s, written_bytes_s, received_bytes_s, sent_bytes_s (bytes/s), calls_s (calls/s), each
-- NULL when unknown; seen (timestamp of the newest reading of any of them).
--
-- Usage that reaches over the beginning counts pro rata. A server that was born in the span has rates since then.
WITH rows AS (
    SELECT server, t0_us, t1_us, t1, read_bytes, written_bytes, calls,
           CAST(NULL AS BIGINT) AS received_bytes, CAST(NULL AS BIGINT) AS sent_bytes
    FROM nfsd WHERE t0 < $until AND t1 >= $since AND server IS NOT NULL
    UNION ALL
    SELECT server, t0_us, t1_us, t1, NULL, NULL, NULL, received_bytes, sent_bytes
    FROM links WHERE t0 < $until AND t1 >= $since AND server IS NOT NULL
),
shares AS (
    SELECT *, CASE WHEN t1_us > t0_us
                   THEN CAST(least(t1_us, $hi) - greatest(t0_us, $lo) AS DOUBLE) / (t1_us - t0_us)
                   ELSE 1 END AS share
    FROM rows WHERE t1_us > $lo
),
lengths AS (
    SELECT server, greatest(CAST($hi - greatest(min(t0_us), $lo) AS DOUBLE), 1) / 1000000 AS length_s
    FROM shares GROUP BY server
)
SELECT shares.server AS server,
       sum(read_bytes * share) / max(length_s) AS read_bytes_s,
       sum(written_bytes * share) / max(length_s) AS written_bytes_s,
       sum(received_bytes * share) / max(length_s) AS received_bytes_s,
       sum(sent_bytes * share) / max(length_s) AS sent_bytes_s,
       sum(calls * share) / max(length_s) AS calls_s,
       max(t1) AS seen
FROM shares JOIN lengths ON lengths.server = shares.server
GROUP BY shares.server
ORDER BY shares.server
