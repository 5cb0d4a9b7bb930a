-- What did each client send to each server and receive from it in each step, as far as no edge of a step cuts it?
-- Parameters: $server (NULL: all).  Views: clients.
-- {clients}: the view with lo and hi of the step in which each part lies, or begins or ends; inside: whether it lies in it
-- (nasacct/reports/steps.py).
-- Columns: as those of usage_nfsd.sql by server, for M in received_bytes, sent_bytes; client (its id; '': what may have
-- been anybody's).
SELECT node, server AS who, coalesce(client, '') AS client, lo,
       {inside} AS inside,
       CAST(sum(received_bytes) AS BIGINT) AS received_bytes,
       CAST(sum(received_bytes_bounds) FILTER (NOT whole) AS BIGINT) AS received_bytes_more,
       CAST(sum(received_bytes_unknown) AS BIGINT) AS received_bytes_unknown,
       CAST(sum(sent_bytes) AS BIGINT) AS sent_bytes,
       CAST(sum(sent_bytes_bounds) FILTER (NOT whole) AS BIGINT) AS sent_bytes_more,
       CAST(sum(sent_bytes_unknown) AS BIGINT) AS sent_bytes_unknown
FROM {clients}
WHERE $server IS NULL OR server = $server
GROUP BY ALL
