-- What was each disk like, and how long did tasks wait for disks, as far as saturation asks?
-- Parameters: $lo, $hi (µs of UTC).  Views: disks, node.
-- Columns: device (NULL: the node itself), t0_us, t1_us; of a disk ios, ms (that they took), ms_io (that it was busy),
-- ms_weighted; of the node io_some_us, io_full_us. NULL where unknown.
SELECT device, t0_us, t1_us, reads + writes AS ios, ms_reading + ms_writing AS ms, ms_io, ms_weighted,
       CAST(NULL AS BIGINT) AS io_some_us, CAST(NULL AS BIGINT) AS io_full_us
FROM disks WHERE t1_us > $lo AND t0_us < $hi AND device IS NOT NULL
UNION ALL
SELECT NULL, t0_us, t1_us, NULL, NULL, NULL, NULL, io_some_us, io_full_us
FROM node WHERE t1_us > $lo AND t0_us < $hi
ORDER BY device NULLS FIRST, t0_us
