-- One stream's usage in coarser cells: sums over {step} by the rollups, and of usage that is in none of them yet.
-- Columns: as those of usage, with t0 and t1 the bucket's edges (of a long row's piece its own, within the bucket), and
-- parts (how many of usage), m_unknown for every bounded measure m (how many of them have no value or no bound).
-- {{columns}}, {{length_us}} and {{source}} are filled in by nasacct/store/views.py.
SELECT {columns},
       t0_us, t1_us,
       CASE WHEN whole THEN t0_us - epoch_us(row_t0) ELSE 0 END AS before_us,
       CASE WHEN whole THEN epoch_us(row_t1) - t1_us ELSE 0 END AS after_us
FROM (
    SELECT *, make_timestamptz(t0_us) AS t0, make_timestamptz(t1_us) AS t1, row_t0 IS NOT NULL AS whole
    FROM (
        SELECT *,
               CASE WHEN row_t0 > bucket THEN epoch_us(row_t0) ELSE epoch_us(bucket) END AS t0_us,
               CASE WHEN row_t1 < make_timestamptz(epoch_us(bucket) + {length_us})
                    THEN epoch_us(row_t1) ELSE epoch_us(bucket) + {length_us} END AS t1_us
        FROM ({source})
    )
)
