-- Who moved how much in each step, of what an edge of the step cuts?
-- Parameters: $by (server, node, epoch), $server (NULL: all).  Views: those of the measures.
-- Filled in: rows, those of the views, each once for every measure; sums, the measures (nasacct/reports/breakdown.py).
-- {parts}: `parts`, with lo and hi of the step in which each lies, or begins or ends; a part is there for every step that
-- it reaches into (nasacct/reports/steps.py).
-- Columns: node, who, lo, M, M_more, M_unknown as in usage_nfsd.sql, for the measures of all views; client (its id, ''
-- for what may have been anybody's; NULL but for rows of clients).
--
-- A part of usage that reaches over the edge of a step counts pro rata, cut so that the steps add up to the whole; the
-- rest of it is possible, so such a step is bounded.
WITH parts AS (
    {rows}
),
shares AS (
    SELECT node, CASE $by WHEN 'server' THEN server WHEN 'epoch' THEN epoch ELSE '' END AS who, client, lo, measure,
           m, more, unknown, whole, epoch, begun_us,
           CASE WHEN t1_us <= hi THEN m
                ELSE CAST(floor(CAST(m AS DOUBLE) * (hi - t0_us) / (t1_us - t0_us)) AS BIGINT) END
           - CASE WHEN t0_us >= lo THEN 0
                  ELSE CAST(floor(CAST(m AS DOUBLE) * (lo - t0_us) / (t1_us - t0_us)) AS BIGINT) END AS certain
    FROM {parts}
    WHERE ($server IS NULL OR server = $server) AND ($by = 'node' OR server IS NOT NULL)
      AND (t0_us < lo OR t1_us > hi OR (whole AND (begun_us < lo OR over_us > hi)))
),
bounds AS (
    SELECT node, who, client, lo, measure, certain, m + more - certain AS more, unknown
    FROM shares WHERE NOT whole
    UNION ALL
    -- pieces of one row that reaches out of the step: of a long one each may hold all of it (m + more, in one of them
    -- with nothing more), but all together do not hold more than that; those of a short one are what they are
    SELECT node, who, client, lo, measure, sum(certain),
           CASE WHEN max(more) > 0 THEN max(m + more) ELSE sum(m) END - sum(certain), sum(unknown)
    FROM shares WHERE whole
    GROUP BY node, who, client, lo, measure, epoch, begun_us
),
sums AS (
    SELECT node, who, client, lo, measure, CAST(sum(certain) AS BIGINT) AS m, CAST(sum(more) AS BIGINT) AS more,
           CAST(sum(unknown) AS BIGINT) AS unknown
    FROM bounds GROUP BY node, who, client, lo, measure
)
SELECT node, who, client, lo,
       {sums}
FROM sums GROUP BY node, who, client, lo
