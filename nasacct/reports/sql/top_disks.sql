-- How busy is each disk of a node, in a span of time that ends with its newest data?
-- Parameters: $since, $until (timestamps), $lo, $hi (the same in µs of UTC).  View: disks.
-- Columns: disk (its identity), device (its name); busy (share of the time with a request in flight, 0..1),
-- reads_s, writes_s (requests/s), read_bytes_s, written_bytes_s (bytes/s; a sector is 512 bytes), wait_ms (mean time
-- from issue to completion of a read or write, NULL when there was none), queue (mean requests in flight), in_flight
-- (requests at the newest reading). NULL where unknown.
WITH rows AS (
    SELECT *, CASE WHEN t1_us > t0_us
                   THEN CAST(least(t1_us, $hi) - greatest(t0_us, $lo) AS DOUBLE) / (t1_us - t0_us)
                   ELSE 1 END AS share
    FROM disks WHERE t0 < $until AND t1 >= $since AND t1_us > $lo
),
sums AS (
    SELECT disk, device,
           greatest(CAST($hi - greatest(min(t0_us), $lo) AS DOUBLE), 1) / 1000 AS length_ms,
           sum(ms_io * share) AS ms_io,
           sum(reads * share) AS reads,
           sum(writes * share) AS writes,
           sum(sectors_read * share) AS sectors_read,
           sum(sectors_written * share) AS sectors_written,
           sum((ms_reading + ms_writing) * share) AS ms_waited,
           sum(ms_weighted * share) AS ms_weighted,
           max_by(in_flight, t1_us) AS in_flight
    FROM rows GROUP BY disk, device
)
SELECT disk, device,
       least(ms_io / length_ms, 1) AS busy,
       1000 * reads / length_ms AS reads_s,
       1000 * writes / length_ms AS writes_s,
       512000 * sectors_read / length_ms AS read_bytes_s,
       512000 * sectors_written / length_ms AS written_bytes_s,
       CASE WHEN reads + writes > 0 THEN ms_waited / (reads + writes) END AS wait_ms,
       ms_weighted / length_ms AS queue,
       in_flight
FROM sums
ORDER BY device, disk
