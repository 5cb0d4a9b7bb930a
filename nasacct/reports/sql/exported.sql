-- How much did each client read and write below each export in a span of time, at least, and how much did nfsd count?
-- Parameters: $lo, $hi (µs of UTC), $server (NULL: all).  Views: exports, nfsd.
-- Columns: node, server; export, client (ids, both NULL in the row of the server itself); for M in read, written: M_bytes
-- (what is certain), M_bytes_most (of the server only: what nfsd may have counted; NULL when unknown).
--
-- Rows that reach over an edge of the span are in no sum of clients: nobody knows on which side of it they grew. Of the
-- server they are possible.
WITH split AS (
    SELECT node, server, export, client, CAST(coalesce(sum(read_bytes), 0) AS BIGINT) AS read_bytes,
           CAST(coalesce(sum(written_bytes), 0) AS BIGINT) AS written_bytes
    FROM exports
    WHERE t0_us >= $lo AND t1_us <= $hi AND ($server IS NULL OR server = $server)
    GROUP BY node, server, export, client
),
counted AS (
    SELECT node, server,
           CAST(coalesce(sum(read_bytes) FILTER (t0_us >= $lo AND t1_us <= $hi), 0) AS BIGINT) AS read_bytes,
           CAST(coalesce(sum(written_bytes) FILTER (t0_us >= $lo AND t1_us <= $hi), 0) AS BIGINT) AS written_bytes,
           CASE WHEN count(*) = count(read_bytes + read_bytes_more)
                THEN CAST(sum(read_bytes + read_bytes_more) AS BIGINT) END AS read_bytes_most,
           CASE WHEN count(*) = count(written_bytes + written_bytes_more)
                THEN CAST(sum(written_bytes + written_bytes_more) AS BIGINT) END AS written_bytes_most
    FROM nfsd
    WHERE t1_us >= $lo AND t0_us <= $hi AND server IS NOT NULL AND ($server IS NULL OR server = $server)
    GROUP BY node, server
),
told AS (
    SELECT node, server, export, client, read_bytes, written_bytes,
           CAST(NULL AS BIGINT) AS read_bytes_most, CAST(NULL AS BIGINT) AS written_bytes_most
    FROM split WHERE read_bytes > 0 OR written_bytes > 0
    UNION ALL
    SELECT node, server, NULL, NULL, read_bytes, written_bytes, read_bytes_most, written_bytes_most
    FROM counted SEMI JOIN split USING (node, server)
)
SELECT * FROM told
ORDER BY node, server, export IS NULL, read_bytes + written_bytes DESC, export, client
