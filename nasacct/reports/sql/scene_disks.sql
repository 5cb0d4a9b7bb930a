-- What did each disk do, and how long did tasks wait for disks?
-- Parameters: $lo, $hi (µs of UTC).  Views: disks, node.
-- Columns: node, disk (NULL: the node itself), device, t0_us, t1_us; of a disk reads, sectors_read, ms_reading, writes,
-- sectors_written, ms_writing, ms_io, ms_weighted; of the node io_some_us, io_full_us. NULL where unknown.
SELECT node, disk, device, t0_us, t1_us, reads, sectors_read, ms_reading, writes, sectors_written, ms_writing, ms_io,
       ms_weighted, CAST(NULL AS BIGINT) AS io_some_us, CAST(NULL AS BIGINT) AS io_full_us
FROM disks WHERE t1_us > $lo AND t0_us < $hi
UNION ALL
SELECT node, NULL, NULL, t0_us, t1_us, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, io_some_us, io_full_us
FROM node WHERE t1_us > $lo AND t0_us < $hi
ORDER BY node, disk NULLS FIRST, t0_us
