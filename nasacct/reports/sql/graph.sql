-- How much did one server move in each bucket of a graph?
-- Parameters: $server, $node (NULL: any), $lo, $hi (µs of UTC, edges of buckets), $length_us.  Views: nfsd, links.
-- Columns: bucket (timestamp, its start); for M in read_bytes, written_bytes, calls, received_bytes, sent_bytes: M
-- (what is certain, NULL when nothing is), M_max (what is possible, NULL without bound), M_peak (the highest rate of
-- one row or cell of the views that begins in the bucket, per second).
--
-- A row counts in the bucket in which it begins; rows are cut at 5-minute edges, so in longer buckets each is where it
-- belongs. Pieces of a long row hold its growth once, as in usage.sql.
WITH io AS (
    SELECT t0_us // $length_us * $length_us AS at_us,
           CASE WHEN whole AND (t0_us - before_us < t0_us // $length_us * $length_us
                                OR t1_us + after_us > t0_us // $length_us * $length_us + $length_us)
                THEN t0_us - before_us END AS long_us,
           CASE WHEN t1_us > t0_us THEN (t1_us - t0_us) / 1e6 END AS length_s,
           whole, epoch, read_bytes, read_bytes_more, written_bytes, written_bytes_more, calls, calls_more
    FROM nfsd WHERE server = $server AND ($node IS NULL OR node = $node) AND t0_us >= $lo AND t0_us < $hi
),
io_rows AS (
    SELECT at_us,
           sum(read_bytes) AS read_bytes,
           CASE WHEN count(read_bytes) < count(*) THEN NULL
                WHEN long_us IS NOT NULL THEN greatest(max(read_bytes + read_bytes_more), sum(read_bytes))
                WHEN count(read_bytes_more) = count(*) THEN sum(read_bytes + CASE WHEN whole THEN 0 ELSE read_bytes_more END)
           END AS read_bytes_max,
           max(read_bytes / length_s) AS read_bytes_peak,
           sum(written_bytes) AS written_bytes,
           CASE WHEN count(written_bytes) < count(*) THEN NULL
                WHEN long_us IS NOT NULL THEN greatest(max(written_bytes + written_bytes_more), sum(written_bytes))
                WHEN count(written_bytes_more) = count(*)
                THEN sum(written_bytes + CASE WHEN whole THEN 0 ELSE written_bytes_more END)
           END AS written_bytes_max,
           max(written_bytes / length_s) AS written_bytes_peak,
           sum(calls) AS calls,
           CASE WHEN count(calls) < count(*) THEN NULL
                WHEN long_us IS NOT NULL THEN greatest(max(calls + calls_more), sum(calls))
                WHEN count(calls_more) = count(*) THEN sum(calls + CASE WHEN whole THEN 0 ELSE calls_more END)
           END AS calls_max,
           max(calls / length_s) AS calls_peak
    FROM io GROUP BY at_us, long_us, CASE WHEN long_us IS NOT NULL THEN epoch END
),
io_buckets AS (
    SELECT at_us,
           CAST(sum(read_bytes) AS BIGINT) AS read_bytes,
           CASE WHEN count(read_bytes_max) = count(*) THEN CAST(sum(read_bytes_max) AS BIGINT) END AS read_bytes_max,
           max(read_bytes_peak) AS read_bytes_peak,
           CAST(sum(written_bytes) AS BIGINT) AS written_bytes,
           CASE WHEN count(written_bytes_max) = count(*) THEN CAST(sum(written_bytes_max) AS BIGINT) END AS written_bytes_max,
           max(written_bytes_peak) AS written_bytes_peak,
           CAST(sum(calls) AS BIGINT) AS calls,
           CASE WHEN count(calls_max) = count(*) THEN CAST(sum(calls_max) AS BIGINT) END AS calls_max,
           max(calls_peak) AS calls_peak
    FROM io_rows GROUP BY at_us
),
net AS (
    SELECT t0_us // $length_us * $length_us AS at_us,
           CASE WHEN whole AND (t0_us - before_us < t0_us // $length_us * $length_us
                                OR t1_us + after_us > t0_us // $length_us * $length_us + $length_us)
                THEN t0_us - before_us END AS long_us,
           CASE WHEN t1_us > t0_us THEN (t1_us - t0_us) / 1e6 END AS length_s,
           whole, epoch, received_bytes, received_bytes_more, sent_bytes, sent_bytes_more
    FROM links WHERE server = $server AND ($node IS NULL OR node = $node) AND t0_us >= $lo AND t0_us < $hi
),
net_rows AS (
    SELECT at_us,
           sum(received_bytes) AS received_bytes,
           CASE WHEN count(received_bytes) < count(*) THEN NULL
                WHEN long_us IS NOT NULL THEN greatest(max(received_bytes + received_bytes_more), sum(received_bytes))
                WHEN count(received_bytes_more) = count(*)
                THEN sum(received_bytes + CASE WHEN whole THEN 0 ELSE received_bytes_more END)
           END AS received_bytes_max,
           max(received_bytes / length_s) AS received_bytes_peak,
           sum(sent_bytes) AS sent_bytes,
           CASE WHEN count(sent_bytes) < count(*) THEN NULL
                WHEN long_us IS NOT NULL THEN greatest(max(sent_bytes + sent_bytes_more), sum(sent_bytes))
                WHEN count(sent_bytes_more) = count(*) THEN sum(sent_bytes + CASE WHEN whole THEN 0 ELSE sent_bytes_more END)
           END AS sent_bytes_max,
           max(sent_bytes / length_s) AS sent_bytes_peak
    FROM net GROUP BY at_us, long_us, CASE WHEN long_us IS NOT NULL THEN epoch END
),
net_buckets AS (
    SELECT at_us,
           CAST(sum(received_bytes) AS BIGINT) AS received_bytes,
           CASE WHEN count(received_bytes_max) = count(*) THEN CAST(sum(received_bytes_max) AS BIGINT) END AS received_bytes_max,
           max(received_bytes_peak) AS received_bytes_peak,
           CAST(sum(sent_bytes) AS BIGINT) AS sent_bytes,
           CASE WHEN count(sent_bytes_max) = count(*) THEN CAST(sum(sent_bytes_max) AS BIGINT) END AS sent_bytes_max,
           max(sent_bytes_peak) AS sent_bytes_peak
    FROM net_rows GROUP BY at_us
)
SELECT make_timestamptz(coalesce(io_buckets.at_us, net_buckets.at_us)) AS bucket,
       read_bytes, read_bytes_max, read_bytes_peak,
       written_bytes, written_bytes_max, written_bytes_peak,
       received_bytes, received_bytes_max, received_bytes_peak,
       sent_bytes, sent_bytes_max, sent_bytes_peak,
       calls, calls_max, calls_peak
FROM io_buckets FULL OUTER JOIN net_buckets ON io_buckets.at_us = net_buckets.at_us
ORDER BY bucket
