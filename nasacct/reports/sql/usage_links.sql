-- What did each server's link receive and send in each step, as far as no edge of a step cuts it?
-- Parameters: $by (server, node, epoch), $server (NULL: all).  Views: links.
-- {links}: the view with lo and hi of the step in which each part lies, or begins or ends; inside: whether it lies in it
-- (nasacct/reports/steps.py).
-- Columns: as those of usage_nfsd.sql, for M in received_bytes, sent_bytes.
--
-- Interfaces that are no server's count for nobody.
SELECT node, CASE $by WHEN 'server' THEN server WHEN 'epoch' THEN epoch ELSE '' END AS who, lo,
       {inside} AS inside,
       CAST(sum(received_bytes) AS BIGINT) AS received_bytes,
       CAST(sum(received_bytes_bounds) FILTER (NOT whole) AS BIGINT) AS received_bytes_more,
       CAST(sum(received_bytes_unknown) AS BIGINT) AS received_bytes_unknown,
       CAST(sum(sent_bytes) AS BIGINT) AS sent_bytes,
       CAST(sum(sent_bytes_bounds) FILTER (NOT whole) AS BIGINT) AS sent_bytes_more,
       CAST(sum(sent_bytes_unknown) AS BIGINT) AS sent_bytes_unknown
FROM {links}
WHERE server IS NOT NULL AND ($server IS NULL OR server = $server)
GROUP BY ALL
