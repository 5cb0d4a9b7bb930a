-- What did the machine itself read from disks and write to them, by job, beside its NFS servers?
-- Parameters: $lo, $hi (µs of UTC).  View: local.
-- Columns: node, job, t0_us, t1_us (from when to when), read_bytes, written_bytes (at least). NULL where unknown.
--
-- ZFS reads and writes for `zfs send` and `zfs recv` on threads of its own: what they give and take is the stream.
SELECT node, job, t0_us, t1_us,
       CASE WHEN job = 'zfs send' THEN given_bytes ELSE disk_read_bytes END AS read_bytes,
       CASE WHEN job = 'zfs recv' THEN taken_bytes ELSE dirtied_bytes END AS written_bytes
FROM local WHERE t1_us > $lo AND t0_us < $hi AND job IS NOT NULL
ORDER BY node, job, t0_us
