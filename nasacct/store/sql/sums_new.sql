-- The sums of usage that is in no rollup yet, as a rollup holds them (see nasacct/store/sums.py), in the buckets of
-- {length_us} that begin from {since_us} up to before {until_us}.
-- {source}: its rows; {long}: whether a row has a bound beyond what is certain; filled in by nasacct/store/view_columns.py.
SELECT node, {keys} epoch, make_timestamptz(bucket_us) AS bucket,
       make_timestamptz(CASE WHEN piece THEN begun_us END) AS row_t0,
       make_timestamptz(CASE WHEN piece THEN over_us END) AS row_t1,
       count(*) AS parts,
       {sums}
FROM (
    SELECT *, whole AND NOT reaches AS inside, whole AND reaches AND long AS piece
    FROM (
        SELECT *, begun_us < bucket_us OR over_us > bucket_us + {length_us} AS reaches
        FROM (
            SELECT *, epoch_us(t0) // {length_us} * {length_us} AS bucket_us,
                   epoch_us(t0) - before_us AS begun_us, epoch_us(t1) + after_us AS over_us,
                   {long} AS long
            FROM {source}
        )
    )
)
WHERE bucket_us >= {since_us} AND bucket_us < {until_us}
GROUP BY ALL
