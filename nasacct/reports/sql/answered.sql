-- Of the calls that each server's nfsd counted in a span of time, how many did the kernel's histogram add up?
-- Parameters: $lo, $hi (µs of UTC).  Views: nfsd, inside.
-- Columns: node, server; counted (calls by nfsd's own counters), inside (calls in the histogram; lockd's are among them,
-- which nfsd does not count), unknown (rows of either without a number).
--
-- Only rows that lie within the span, and servers that have both. The two are read a moment apart.
WITH parts AS (
    SELECT node, server, 'counted' AS what, calls FROM nfsd WHERE server IS NOT NULL AND t0_us >= $lo AND t1_us <= $hi
    UNION ALL
    SELECT node, server, 'inside', calls FROM inside WHERE t0_us >= $lo AND t1_us <= $hi
)
SELECT node, server,
       CAST(sum(calls) FILTER (what = 'counted') AS BIGINT) AS counted,
       CAST(sum(calls) FILTER (what = 'inside') AS BIGINT) AS inside,
       count(*) - count(calls) AS unknown
FROM parts
GROUP BY node, server
HAVING count(*) FILTER (what = 'inside') > 0 AND count(*) FILTER (what = 'counted') > 0
ORDER BY node, server
