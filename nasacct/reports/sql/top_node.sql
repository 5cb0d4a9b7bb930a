-- How is the machine as a whole, in a span of time that ends with its newest data?
-- Parameters: $since, $until (timestamps), $lo, $hi (the same in µs of UTC).  View: node.
-- Columns: io_some, io_full (shares of the time in which some, or all, tasks waited for I/O, 0..1; of /proc/pressure),
-- cpu_busy, cpu_iowait (shares of all CPUs' time, 0..1), load1, load5, load15 (tasks), memory_total_bytes,
-- memory_available_bytes, memory_dirty_bytes, uptime_s. NULL where unknown; no row without data.
WITH rows AS (
    SELECT *, CASE WHEN t1_us > t0_us
                   THEN CAST(least(t1_us, $hi) - greatest(t0_us, $lo) AS DOUBLE) / (t1_us - t0_us)
                   ELSE 1 END AS share
    FROM node WHERE t0 < $until AND t1 >= $since AND t1_us > $lo
),
sums AS (
    SELECT greatest(CAST($hi - greatest(min(t0_us), $lo) AS DOUBLE), 1) AS length_us,
           sum(io_some_us * share) AS io_some_us,
           sum(io_full_us * share) AS io_full_us,
           sum((cpu_user + cpu_nice + cpu_system + cpu_irq + cpu_softirq + coalesce(cpu_steal, 0)) * share) AS busy,
           sum(cpu_idle * share) AS idle,
           sum(cpu_iowait * share) AS iowait,
           max_by(load1_hundredths, t1_us) AS load1,
           max_by(load5_hundredths, t1_us) AS load5,
           max_by(load15_hundredths, t1_us) AS load15,
           max_by(memory_total_bytes, t1_us) AS memory_total_bytes,
           max_by(memory_available_bytes, t1_us) AS memory_available_bytes,
           max_by(memory_dirty_bytes, t1_us) AS memory_dirty_bytes,
           max_by(uptime_s, t1_us) AS uptime_s
    FROM rows HAVING count(*) > 0
)
SELECT least(io_some_us / length_us, 1) AS io_some,
       least(io_full_us / length_us, 1) AS io_full,
       CASE WHEN busy + idle + iowait > 0 THEN busy / (busy + idle + iowait) END AS cpu_busy,
       CASE WHEN busy + idle + iowait > 0 THEN iowait / (busy + idle + iowait) END AS cpu_iowait,
       CAST(load1 AS DOUBLE) / 100 AS load1,
       CAST(load5 AS DOUBLE) / 100 AS load5,
       CAST(load15 AS DOUBLE) / 100 AS load15,
       memory_total_bytes, memory_available_bytes, memory_dirty_bytes, uptime_s
FROM sums
