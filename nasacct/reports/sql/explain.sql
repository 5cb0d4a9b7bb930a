-- Which readings stand behind what each epoch of a server counted in a span of time?
-- Parameters: $lo, $hi (µs of UTC), $server (NULL: all).  Views: nfsd, links, readings_nfsd, readings_links.
-- Columns: node, server, epoch, source (nfsd, links); first, last (what is counted from and to: t, kind, v; v are the
-- counters: read_bytes, written_bytes, calls of nfsd, received_bytes, sent_bytes of links; NULL: no reading is kept);
-- readings (how many were taken in the span), lost (timestamp of an end without a last reading, NULL: none), rows,
-- rows_from, rows_to (how many rows of usage there are, and from when to when they reach).
WITH taken AS (
    SELECT node, server, epoch, 'nfsd' AS source, t, t_us, kind,
           4 * boot_us + CASE kind WHEN 'zero' THEN 0 WHEN 'carry' THEN 1 ELSE 2 END AS turn,
           [read_bytes, written_bytes, rc_hits + rc_misses + rc_nocache] AS v
    FROM readings_nfsd WHERE server IS NOT NULL AND ($server IS NULL OR server = $server)
    UNION ALL
    SELECT node, server, epoch, 'links', t, t_us, kind,
           4 * boot_us + CASE kind WHEN 'zero' THEN 0 WHEN 'carry' THEN 1 ELSE 2 END,
           [received_bytes, sent_bytes]
    FROM readings_links WHERE server IS NOT NULL AND ($server IS NULL OR server = $server)
),
edges AS (
    SELECT node, server, epoch, source,
           coalesce(max_by({'t': t, 'kind': kind, 'v': v}, turn) FILTER (kind <> 'lost' AND t_us <= $lo),
                    min_by({'t': t, 'kind': kind, 'v': v}, turn) FILTER (kind <> 'lost')) AS first,
           coalesce(min_by({'t': t, 'kind': kind, 'v': v}, turn) FILTER (kind NOT IN ('lost', 'carry') AND t_us >= $hi),
                    max_by({'t': t, 'kind': kind, 'v': v}, turn) FILTER (kind <> 'lost')) AS last,
           count(*) FILTER (kind IN ('read', 'final') AND t_us > $lo AND t_us <= $hi) AS readings,
           max(t) FILTER (kind = 'lost' AND t_us > $lo) AS lost
    FROM taken GROUP BY node, server, epoch, source
),
used AS (
    SELECT node, server, epoch, 'nfsd' AS source, t0, t1
    FROM nfsd
    WHERE t0_us < $hi AND (t1_us > $lo OR t0_us >= $lo) AND server IS NOT NULL AND ($server IS NULL OR server = $server)
    UNION ALL
    SELECT node, server, epoch, 'links', t0, t1
    FROM links
    WHERE t0_us < $hi AND (t1_us > $lo OR t0_us >= $lo) AND server IS NOT NULL AND ($server IS NULL OR server = $server)
),
counted AS (
    SELECT node, server, epoch, source, count(*) AS rows, min(t0) AS rows_from, max(t1) AS rows_to
    FROM used GROUP BY node, server, epoch, source
)
SELECT counted.node AS node, counted.server AS server, counted.epoch AS epoch, counted.source AS source,
       first, last, coalesce(readings, 0) AS readings, lost, rows, rows_from, rows_to
FROM counted
LEFT JOIN edges ON edges.node = counted.node AND edges.server = counted.server AND edges.epoch = counted.epoch
               AND edges.source = counted.source
ORDER BY node, server, source DESC, rows_from, epoch
