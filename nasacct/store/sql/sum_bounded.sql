-- The columns of one bounded measure {m} in sums_new.sql.
CAST(sum("{m}") AS BIGINT) AS "{m}",
       CAST(coalesce(CASE WHEN any_value(piece) THEN max("{m}" + "{m}_more") - sum("{m}")
                          ELSE sum("{m}_more") FILTER (NOT inside AND "{m}" IS NOT NULL) END, 0) AS BIGINT) AS "{m}_more",
       count(*) FILTER ("{m}" IS NULL OR (NOT inside AND "{m}_more" IS NULL)) AS "{m}_unknown",
       max(CASE WHEN t1 > t0 THEN CAST(least(floor(CAST("{m}" AS DOUBLE) * 1e6
                                                   / CAST(epoch_us(t1) - epoch_us(t0) AS DOUBLE)), 9e18) AS BIGINT)
           END) AS "{m}_peak"
