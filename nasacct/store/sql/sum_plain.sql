-- The column of any other measure {m} in sums_new.sql: NULL as soon as one part is.
CASE WHEN count("{m}") = count(*) THEN CAST(sum("{m}") AS BIGINT) END AS "{m}"
