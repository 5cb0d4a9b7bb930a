"""DuckDB sorts what the keeper merges: `python sorting.py FOLDER SEGMENTS...`; prints the CPU seconds it took."""

import sys
import time
from pathlib import Path

import duckdb

_SORT = (
    "COPY (SELECT * FROM read_parquet($files) ORDER BY server, epoch, t0) TO '{}'"
    " (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
)


def main() -> None:
    folder = Path(sys.argv[1])
    out = folder / "sorted.parquet"
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.execute("SET memory_limit = '512MiB'")
    connection.execute(f"SET temp_directory = '{folder / 'spill'}'")
    before = time.process_time()
    for where in sys.argv[2:]:
        files = [str(p) for p in sorted(Path(where).glob("hour-*.parquet"))]
        if files:
            connection.execute(_SORT.format(out), {"files": files})
    print(time.process_time() - before)
    out.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
