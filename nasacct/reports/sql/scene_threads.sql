-- What did disks read for the threads of each server, in rows of usage in which they did?
-- Parameters: $lo, $hi (µs of UTC).  View: threads.
-- Columns: server, t0_us, t1_us (from when to when), physical_bytes. NULL where unknown.
SELECT server, t0_us, t1_us, disk_read_bytes AS physical_bytes
FROM threads
WHERE t1_us > $lo AND t0_us < $hi AND server IS NOT NULL AND disk_read_bytes > 0
ORDER BY server, t0_us
