-- Which disks were busy, and which servers were asked anything?
-- Parameters: $lo, $hi (µs of UTC).  Views: disks, nfsd.
-- Columns: node, device (NULL: a server), server (NULL: a disk).
SELECT DISTINCT node, device, CAST(NULL AS VARCHAR) AS server
FROM disks WHERE t1_us > $lo AND t0_us < $hi AND ms_io > 0
UNION ALL
SELECT DISTINCT node, NULL, server
FROM nfsd WHERE t1_us > $lo AND t0_us < $hi AND server IS NOT NULL AND calls > 0
ORDER BY node, device NULLS LAST, server
