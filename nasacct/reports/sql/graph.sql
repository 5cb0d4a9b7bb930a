-- How much did one server move in each bucket of a graph?
-- Parameters: $server, $node (NULL: any), $lo, $hi (µs of UTC, edges of buckets), $length_us.  Views: nfsd, links.
-- Columns: bucket (timestamp, its start); for M in read_bytes, written_bytes, calls, received_bytes, sent_bytes: M
-- (what is certain, NULL when nothing is), M_max (what is possible, NULL without bound), M_peak (the highest rate of
-- one row or cell of the views that begins in the bucket, per second).
--
-- A row counts in the bucket in which it begins; rows are cut at 5-minute edges, so in longer buckets each is where it
-- belongs. Pieces of a long row hold its growth once, as in usage.sql.
-- Measures are rows of one table until the end, so that all of them are summed in one way.
WITH found AS (
    SELECT t0_us, t1_us, before_us, after_us, whole, epoch,
           unnest([{'measure': 'read_bytes', 'm': read_bytes, 'more': read_bytes_more},
                   {'measure': 'written_bytes', 'm': written_bytes, 'more': written_bytes_more},
                   {'measure': 'calls', 'm': calls, 'more': calls_more}], recursive := true)
    FROM nfsd WHERE server = $server AND coalesce(node = $node, true) AND t0_us >= $lo AND t0_us < $hi
    UNION ALL
    SELECT t0_us, t1_us, before_us, after_us, whole, epoch,
           unnest([{'measure': 'received_bytes', 'm': received_bytes, 'more': received_bytes_more},
                   {'measure': 'sent_bytes', 'm': sent_bytes, 'more': sent_bytes_more}], recursive := true)
    FROM links WHERE server = $server AND coalesce(node = $node, true) AND t0_us >= $lo AND t0_us < $hi
),
placed AS (
    SELECT *, t0_us // $length_us * $length_us AS at_us,
           CASE WHEN t1_us > t0_us THEN m * 1e6 / (t1_us - t0_us) END AS rate
    FROM found
),
parts AS (
    SELECT *, CASE WHEN whole AND (t0_us - before_us < at_us OR t1_us + after_us > at_us + $length_us)
                   THEN t0_us - before_us END AS long_us
    FROM placed
),
bounds AS (
    SELECT measure, at_us, sum(m) AS certain, max(rate) AS peak,
           CASE WHEN count(m) < count(*) THEN NULL
                WHEN long_us IS NOT NULL THEN greatest(max(m + more), sum(m))
                WHEN count(more) = count(*) THEN sum(m + CASE WHEN whole THEN 0 ELSE more END)
           END AS possible
    FROM parts GROUP BY measure, at_us, long_us, CASE WHEN long_us IS NOT NULL THEN epoch END
),
sums AS (
    SELECT measure, at_us, CAST(sum(certain) AS BIGINT) AS certain, max(peak) AS peak,
           CASE WHEN count(possible) = count(*) THEN CAST(sum(possible) AS BIGINT) END AS possible
    FROM bounds GROUP BY measure, at_us
)
SELECT make_timestamptz(at_us) AS bucket,
       max(certain) FILTER (measure = 'read_bytes') AS read_bytes,
       max(possible) FILTER (measure = 'read_bytes') AS read_bytes_max,
       max(peak) FILTER (measure = 'read_bytes') AS read_bytes_peak,
       max(certain) FILTER (measure = 'written_bytes') AS written_bytes,
       max(possible) FILTER (measure = 'written_bytes') AS written_bytes_max,
       max(peak) FILTER (measure = 'written_bytes') AS written_bytes_peak,
       max(certain) FILTER (measure = 'received_bytes') AS received_bytes,
       max(possible) FILTER (measure = 'received_bytes') AS received_bytes_max,
       max(peak) FILTER (measure = 'received_bytes') AS received_bytes_peak,
       max(certain) FILTER (measure = 'sent_bytes') AS sent_bytes,
       max(possible) FILTER (measure = 'sent_bytes') AS sent_bytes_max,
       max(peak) FILTER (measure = 'sent_bytes') AS sent_bytes_peak,
       max(certain) FILTER (measure = 'calls') AS calls,
       max(possible) FILTER (measure = 'calls') AS calls_max,
       max(peak) FILTER (measure = 'calls') AS calls_peak
FROM sums GROUP BY at_us
ORDER BY bucket
