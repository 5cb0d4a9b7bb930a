-- What was each server asked for by NFSv3, and how long did its threads work, in rows of usage in which they did?
-- Parameters: $lo, $hi (µs of UTC).  View: inside.
-- Columns: server, t0_us, t1_us (from when to when), reads, writes, commits, lookups (all that read metadata), changes (all
-- that write it but removes), removes (calls), thread_us. NULL where unknown.
WITH told AS (
    SELECT server, t0_us, t1_us, read_calls AS reads, write_calls AS writes, commit_calls AS commits,
           getattr_calls + lookup_calls + access_calls + readlink_calls + readdir_calls + readdirplus_calls AS lookups,
           setattr_calls + create_calls + mkdir_calls + symlink_calls + mknod_calls + rename_calls + link_calls AS changes,
           remove_calls + rmdir_calls AS removes, thread_us
    FROM inside
)
SELECT * FROM told
WHERE t1_us > $lo AND t0_us < $hi AND server IS NOT NULL
      AND (thread_us > 0 OR reads > 0 OR writes > 0 OR commits > 0 OR lookups > 0 OR changes > 0 OR removes > 0)
ORDER BY server, t0_us
