-- What did clients move and ask of each server, in rows of usage in which they did?
-- Parameters: $lo, $hi (µs of UTC).  View: nfsd.
-- Columns: server, t0_us, t1_us (from when to when), read_bytes, written_bytes, calls. NULL where unknown.
SELECT server, t0_us, t1_us, read_bytes, written_bytes, calls
FROM nfsd
WHERE t1_us > $lo AND t0_us < $hi AND server IS NOT NULL AND (read_bytes > 0 OR written_bytes > 0 OR calls > 0)
ORDER BY server, t0_us
