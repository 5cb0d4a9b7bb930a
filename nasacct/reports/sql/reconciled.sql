-- How much of what each server's link moved in a span of time is known to be its clients', and read or written by them?
-- Parameters: $lo, $hi (µs of UTC), $slack_us (how far apart two streams may be read).  Views: nfsd, links, clients.
-- Columns: node, server; for each of link, clients, nfs (what clients read and wrote): M (bytes of both directions that
-- certainly are of the span) and M_most (those that may be, read up to $slack_us before or after it; NULL when unknown).
--
-- Rows that reach out of the span are possible, not certain. Only servers with clients that are known.
WITH parts AS (
    SELECT node, server, t0_us, t1_us, 'link' AS what, received_bytes + sent_bytes AS bytes,
           received_bytes_more + sent_bytes_more AS more
    FROM links WHERE server IS NOT NULL
    UNION ALL
    SELECT node, server, t0_us, t1_us, 'clients', received_bytes + sent_bytes, received_bytes_more + sent_bytes_more
    FROM clients
    UNION ALL
    SELECT node, server, t0_us, t1_us, 'nfs', read_bytes + written_bytes, read_bytes_more + written_bytes_more
    FROM nfsd WHERE server IS NOT NULL
),
sums AS (
    SELECT node, server, what,
           CAST(coalesce(sum(bytes) FILTER (t0_us >= $lo AND t1_us <= $hi), 0) AS BIGINT) AS certain,
           CASE WHEN count(*) = count(bytes + more) THEN CAST(sum(bytes + more) AS BIGINT) END AS most
    FROM parts WHERE t1_us > $lo - $slack_us AND t0_us < $hi + $slack_us
    GROUP BY node, server, what
)
SELECT node, server,
       max(certain) FILTER (what = 'link') AS link, max(most) FILTER (what = 'link') AS link_most,
       max(certain) FILTER (what = 'clients') AS clients, max(most) FILTER (what = 'clients') AS clients_most,
       max(certain) FILTER (what = 'nfs') AS nfs, max(most) FILTER (what = 'nfs') AS nfs_most
FROM sums
GROUP BY node, server
HAVING count(*) FILTER (what = 'clients') > 0
ORDER BY node, server
