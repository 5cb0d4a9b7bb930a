-- From when to when does the store have usage of servers between two moments?
-- Parameters: $since, $until (timestamps).  Views: nfsd, links.
-- Columns: first, last (timestamps; NULL when there is none).
WITH rows AS (
    SELECT t0, t1 FROM nfsd WHERE t0 < $until AND t1 >= $since
    UNION ALL
    SELECT t0, t1 FROM links WHERE t0 < $until AND t1 >= $since AND server IS NOT NULL
)
SELECT min(t0) AS first, max(t1) AS last FROM rows
