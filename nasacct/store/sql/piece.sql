-- One of them: the rows that begin from {since_us} up to before {until_us}.
SELECT * FROM {view} WHERE t0_us >= {since_us} AND t0_us < {until_us}
