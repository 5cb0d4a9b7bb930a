-- What was each server asked for by NFSv4, in rows of usage in which it was?
-- Parameters: $lo, $hi (µs of UTC).  View: ops.
-- Columns: server, t0_us, t1_us (from when to when), reads, writes, commits, lookups (all that read metadata), changes (all
-- that write it but removes), removes (operations). NULL where unknown.
WITH told AS (
    SELECT server, t0_us, t1_us, "read" + read_plus AS reads, "write" AS writes, "commit" AS commits,
           access + getattr + lookup + lookupp + readdir + readlink + "open" AS lookups,
           "create" + link + rename + setattr AS changes, remove AS removes
    FROM ops
)
SELECT * FROM told
WHERE t1_us > $lo AND t0_us < $hi AND server IS NOT NULL
      AND (reads > 0 OR writes > 0 OR commits > 0 OR lookups > 0 OR changes > 0 OR removes > 0)
ORDER BY server, t0_us
