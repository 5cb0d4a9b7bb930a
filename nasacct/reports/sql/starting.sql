-- When did the node boot, and how many servers were there at first and at most?
-- Parameters: $lo, $hi (µs of UTC).  Views: node, health.
-- Columns: boot_us (µs of UTC), first, most (servers). NULL where unknown.
WITH listed AS (
    SELECT t1_us, listed FROM health
    WHERE source_name = 'nfsd' AND listed IS NOT NULL AND t1_us > $lo AND t0_us < $hi
)
SELECT (SELECT max(t1_us - uptime_s * 1000000) FROM node WHERE t1_us > $lo AND t0_us < $hi) AS boot_us,
       (SELECT arg_min(listed, t1_us) FROM listed) AS "first", (SELECT max(listed) FROM listed) AS most
