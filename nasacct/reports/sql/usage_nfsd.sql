-- What did the clients of each server read, write and call in each step, as far as no edge of a step cuts it?
-- Parameters: $by (server, node, epoch), $server (NULL: all).  Views: nfsd.
-- {nfsd}: the view with lo and hi of the step in which each part lies, or begins or ends; inside: whether it lies in it
-- (nasacct/reports/steps.py).
-- Columns: node, who (the server, or the epoch; '' by node), lo (of the step, µs of UTC), inside (whether these rows lie
-- in the step; of the others nothing but that there are some is meant); for M in read_bytes, written_bytes, calls: M,
-- M_more (how much it may be more), M_unknown (how many parts have no value or no bound).
--
-- A whole row of usage that lies in the step is exact there, although its parts (cut at 5-minute edges) may be bounded.
-- Host-wide counters (server NULL) count for the node only.
SELECT node, CASE $by WHEN 'server' THEN server WHEN 'epoch' THEN epoch ELSE '' END AS who, lo,
       {inside} AS inside,
       CAST(sum(read_bytes) AS BIGINT) AS read_bytes,
       CAST(sum(read_bytes_bounds) FILTER (NOT whole) AS BIGINT) AS read_bytes_more,
       CAST(sum(read_bytes_unknown) AS BIGINT) AS read_bytes_unknown,
       CAST(sum(written_bytes) AS BIGINT) AS written_bytes,
       CAST(sum(written_bytes_bounds) FILTER (NOT whole) AS BIGINT) AS written_bytes_more,
       CAST(sum(written_bytes_unknown) AS BIGINT) AS written_bytes_unknown,
       CAST(sum(calls) AS BIGINT) AS calls,
       CAST(sum(calls_bounds) FILTER (NOT whole) AS BIGINT) AS calls_more,
       CAST(sum(calls_unknown) AS BIGINT) AS calls_unknown
FROM {nfsd}
WHERE ($server IS NULL OR server = $server) AND ($by = 'node' OR server IS NOT NULL)
GROUP BY ALL
