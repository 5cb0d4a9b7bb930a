-- Who moved how much, in each of these spans of time?
-- Parameters: $by (server, node, epoch), $server (NULL: all), $since, $until (timestamps around all steps), $cell_us.
-- Views: nfsd, links.
-- Table: steps (from, to: timestamps; lo, hi: from when to when rows count, in µs of UTC; they do not overlap), each
-- once for every cell that it has a part of. Cells are $cell_us long, counted from 1970, and no part of usage reaches
-- over the edge of one; they make of the search for a part's steps a join on equal numbers.
-- Columns: node, who (the server, or the epoch; '' by node), from, to; for M in read_bytes, written_bytes (what clients
-- read and wrote), received_bytes, sent_bytes (the server's link), calls: M (what is certain, NULL when nothing is),
-- M_max (what is possible, NULL without bound), M_unknown (how many parts have no value or no bound), M_quality (exact,
-- bounded, unknown); quality (the worst of them).
-- A row for each step from the first to the last in which there is anything of this node or server.
--
-- A part of usage that reaches over the edge of a step counts pro rata, cut so that the steps add up to the whole; the
-- rest of it is possible, so such a step is bounded. A row of usage that lies in one step is exact there, although
-- its own parts (cut at 5-minute edges) may be bounded.
-- Host-wide counters (server NULL) count for the node only, interfaces that are no server's count for nobody.
WITH parts AS (
    SELECT node, server, epoch, t0_us, t1_us, before_us, after_us, whole,
           'read_bytes' AS measure, read_bytes AS m, read_bytes_more AS more, read_bytes_unknown AS unknown
    FROM nfsd WHERE t0 < $until AND t1 >= $since AND ($server IS NULL OR server = $server)
    UNION ALL
    SELECT node, server, epoch, t0_us, t1_us, before_us, after_us, whole, 'written_bytes',
           written_bytes, written_bytes_more, written_bytes_unknown
    FROM nfsd WHERE t0 < $until AND t1 >= $since AND ($server IS NULL OR server = $server)
    UNION ALL
    SELECT node, server, epoch, t0_us, t1_us, before_us, after_us, whole, 'calls',
           calls, calls_more, calls_unknown
    FROM nfsd WHERE t0 < $until AND t1 >= $since AND ($server IS NULL OR server = $server)
    UNION ALL
    SELECT node, server, epoch, t0_us, t1_us, before_us, after_us, whole, 'received_bytes',
           received_bytes, received_bytes_more, received_bytes_unknown
    FROM links WHERE t0 < $until AND t1 >= $since AND server IS NOT NULL AND ($server IS NULL OR server = $server)
    UNION ALL
    SELECT node, server, epoch, t0_us, t1_us, before_us, after_us, whole, 'sent_bytes',
           sent_bytes, sent_bytes_more, sent_bytes_unknown
    FROM links WHERE t0 < $until AND t1 >= $since AND server IS NOT NULL AND ($server IS NULL OR server = $server)
),
shares AS (
    SELECT node, CASE $by WHEN 'server' THEN server WHEN 'epoch' THEN epoch ELSE '' END AS who, lo, measure, m, more,
           unknown, whole, epoch, t0_us - before_us AS begun_us,
           CASE WHEN t1_us <= hi THEN m
                ELSE CAST(floor(CAST(m AS DOUBLE) * (hi - t0_us) / (t1_us - t0_us)) AS BIGINT) END
           - CASE WHEN t0_us >= lo THEN 0
                  ELSE CAST(floor(CAST(m AS DOUBLE) * (lo - t0_us) / (t1_us - t0_us)) AS BIGINT) END AS certain,
           whole AND t0_us - before_us >= lo AND t1_us + after_us <= hi AS uncut
    FROM parts
    JOIN steps ON cell = CAST(floor(CAST(t0_us AS DOUBLE) / $cell_us) AS BIGINT)
              AND t0_us < hi AND (t1_us > lo OR t0_us >= lo)
    WHERE $by = 'node' OR server IS NOT NULL
),
bounds AS (
    SELECT node, who, lo, measure, certain, CASE WHEN uncut THEN certain ELSE m + more END AS possible, unknown
    FROM shares WHERE uncut OR NOT whole
    UNION ALL
    -- pieces of one row that reaches out of the step: of a long one each may hold all of it (m + more, in one of them
    -- with nothing more), but all together do not hold more than that; those of a short one are what they are
    SELECT node, who, lo, measure, sum(certain), CASE WHEN max(more) > 0 THEN max(m + more) ELSE sum(m) END,
           sum(unknown)
    FROM shares WHERE whole AND NOT uncut
    GROUP BY node, who, lo, measure, epoch, begun_us
),
sums AS (
    SELECT node, who, lo, measure,
           CAST(sum(certain) AS BIGINT) AS certain,
           CASE WHEN count(possible) = count(*) THEN CAST(sum(possible) AS BIGINT) END AS possible,
           CAST(sum(unknown) AS BIGINT) AS unknown
    FROM bounds GROUP BY node, who, lo, measure
),
judged AS (
    SELECT node, who, lo, measure, certain, possible, unknown,
           CASE WHEN possible IS NULL THEN 2 WHEN possible > certain THEN 1 ELSE 0 END AS doubt
    FROM sums
),
seen AS (
    SELECT node, who, min(lo) AS first_lo, max(lo) AS last_lo FROM sums GROUP BY node, who
),
asked AS (
    SELECT node, who, lo, "from", "to"
    FROM seen JOIN (SELECT DISTINCT lo, "from", "to" FROM steps) ON lo >= first_lo AND lo <= last_lo
),
wide AS (
    SELECT asked.node, asked.who, asked."from", asked."to",
           max(CASE WHEN measure = 'read_bytes' THEN certain END) AS read_bytes,
           max(CASE WHEN measure = 'read_bytes' THEN possible END) AS read_bytes_max,
           max(CASE WHEN measure = 'read_bytes' THEN unknown END) AS read_bytes_unknown,
           coalesce(max(CASE WHEN measure = 'read_bytes' THEN doubt END), 2) AS read_bytes_doubt,
           max(CASE WHEN measure = 'written_bytes' THEN certain END) AS written_bytes,
           max(CASE WHEN measure = 'written_bytes' THEN possible END) AS written_bytes_max,
           max(CASE WHEN measure = 'written_bytes' THEN unknown END) AS written_bytes_unknown,
           coalesce(max(CASE WHEN measure = 'written_bytes' THEN doubt END), 2) AS written_bytes_doubt,
           max(CASE WHEN measure = 'received_bytes' THEN certain END) AS received_bytes,
           max(CASE WHEN measure = 'received_bytes' THEN possible END) AS received_bytes_max,
           max(CASE WHEN measure = 'received_bytes' THEN unknown END) AS received_bytes_unknown,
           coalesce(max(CASE WHEN measure = 'received_bytes' THEN doubt END), 2) AS received_bytes_doubt,
           max(CASE WHEN measure = 'sent_bytes' THEN certain END) AS sent_bytes,
           max(CASE WHEN measure = 'sent_bytes' THEN possible END) AS sent_bytes_max,
           max(CASE WHEN measure = 'sent_bytes' THEN unknown END) AS sent_bytes_unknown,
           coalesce(max(CASE WHEN measure = 'sent_bytes' THEN doubt END), 2) AS sent_bytes_doubt,
           max(CASE WHEN measure = 'calls' THEN certain END) AS calls,
           max(CASE WHEN measure = 'calls' THEN possible END) AS calls_max,
           max(CASE WHEN measure = 'calls' THEN unknown END) AS calls_unknown,
           coalesce(max(CASE WHEN measure = 'calls' THEN doubt END), 2) AS calls_doubt
    FROM asked
    LEFT JOIN judged ON judged.node = asked.node AND judged.who = asked.who AND judged.lo = asked.lo
    GROUP BY asked.node, asked.who, asked."from", asked."to"
)
SELECT node, who, "from", "to",
       read_bytes, read_bytes_max, read_bytes_unknown,
       CASE read_bytes_doubt WHEN 0 THEN 'exact' WHEN 1 THEN 'bounded' ELSE 'unknown' END AS read_bytes_quality,
       written_bytes, written_bytes_max, written_bytes_unknown,
       CASE written_bytes_doubt WHEN 0 THEN 'exact' WHEN 1 THEN 'bounded' ELSE 'unknown' END AS written_bytes_quality,
       received_bytes, received_bytes_max, received_bytes_unknown,
       CASE received_bytes_doubt WHEN 0 THEN 'exact' WHEN 1 THEN 'bounded' ELSE 'unknown' END AS received_bytes_quality,
       sent_bytes, sent_bytes_max, sent_bytes_unknown,
       CASE sent_bytes_doubt WHEN 0 THEN 'exact' WHEN 1 THEN 'bounded' ELSE 'unknown' END AS sent_bytes_quality,
       calls, calls_max, calls_unknown,
       CASE calls_doubt WHEN 0 THEN 'exact' WHEN 1 THEN 'bounded' ELSE 'unknown' END AS calls_quality,
       CASE greatest(read_bytes_doubt, written_bytes_doubt, received_bytes_doubt, sent_bytes_doubt, calls_doubt)
           WHEN 0 THEN 'exact' WHEN 1 THEN 'bounded' ELSE 'unknown' END AS quality
FROM wide
ORDER BY "from", node, who
