-- Which disks were busy, and which servers were asked anything?
-- Parameters: $lo, $hi (µs of UTC).  Views: disks, nfsd.
-- Columns: node, device (NULL: a server), server (NULL: a disk), busy_ms (of a disk, in rows that touch that time: for how
-- long; NULL of a server). The busiest disk comes first.
SELECT node, device, CAST(NULL AS VARCHAR) AS server, CAST(sum(ms_io) AS BIGINT) AS busy_ms
FROM disks WHERE t1_us > $lo AND t0_us < $hi AND ms_io > 0 AND device IS NOT NULL
GROUP BY node, device
UNION ALL
SELECT DISTINCT node, NULL, server, NULL
FROM nfsd WHERE t1_us > $lo AND t0_us < $hi AND server IS NOT NULL AND calls > 0
ORDER BY node, busy_ms DESC NULLS LAST, device, server
