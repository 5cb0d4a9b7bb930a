-- What did clients ask of each server, in rows of usage in which they asked anything?
-- Parameters: $lo, $hi (µs of UTC).  Views: nfsd, ops, inside, threads.
-- Columns: node, server, source (nfsd, ops, inside, threads), t0_us, t1_us (from when to when); of nfsd read_bytes,
-- written_bytes, calls; of ops, and of inside's NFSv3, reads, writes, commits, lookups (all that read metadata), changes
-- (all that write it but removes), removes (calls or operations); of inside thread_us; of threads physical_bytes (that
-- disks read for the server). NULL where the source does not tell.
WITH told AS (
    SELECT node, server, 'nfsd' AS source, t0_us, t1_us, read_bytes, written_bytes, calls,
           CAST(NULL AS BIGINT) AS reads, CAST(NULL AS BIGINT) AS writes, CAST(NULL AS BIGINT) AS commits,
           CAST(NULL AS BIGINT) AS lookups, CAST(NULL AS BIGINT) AS changes, CAST(NULL AS BIGINT) AS removes,
           CAST(NULL AS BIGINT) AS thread_us, CAST(NULL AS BIGINT) AS physical_bytes
    FROM nfsd
    UNION ALL
    SELECT node, server, 'ops', t0_us, t1_us, NULL, NULL, NULL, "read" + read_plus, "write", "commit",
           access + getattr + lookup + lookupp + readdir + readlink + "open",
           "create" + link + rename + setattr, remove, NULL, NULL
    FROM ops
    UNION ALL
    SELECT node, server, 'inside', t0_us, t1_us, NULL, NULL, NULL, read_calls, write_calls, commit_calls,
           getattr_calls + lookup_calls + access_calls + readlink_calls + readdir_calls + readdirplus_calls,
           setattr_calls + create_calls + mkdir_calls + symlink_calls + mknod_calls + rename_calls + link_calls,
           remove_calls + rmdir_calls, thread_us, NULL
    FROM inside
    UNION ALL
    SELECT node, server, 'threads', t0_us, t1_us, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
           disk_read_bytes
    FROM threads
)
SELECT * FROM told
WHERE t1_us > $lo AND t0_us < $hi AND server IS NOT NULL
      AND (read_bytes > 0 OR written_bytes > 0 OR calls > 0 OR thread_us > 0 OR physical_bytes > 0
           OR reads > 0 OR writes > 0 OR commits > 0 OR lookups > 0 OR changes > 0 OR removes > 0)
ORDER BY node, server, source, t0_us
