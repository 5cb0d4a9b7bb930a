"""Writing a segment so that it is there whole or not at all, and reading it so that damage is noticed.

Rows are sorted by key, epoch and time and compressed with zstd, each column in the encoding that makes it smallest;
every page has a checksum. DuckDB does not look at the checksums, so they are checked here: once after writing, before
a segment is merged, before what it replaces is deleted, and now and then as long as it lies there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nasacct.store.schema import STREAMS
from nasacct.store.segments import KEY, Footer, Segment, SegmentError, name_of, named, reading
from nasacct.store.sync import sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Rows of a row group, and its values at most. Below 30,000 rows the footers cost more than they save, above 260,000
#: pruning suffers.
GROUP, GROUP_VALUES = 122_880, 2_000_000
#: Values of a row group in what is soon to be merged: small, because a merge holds a group of every input.
MERGED_VALUES = 400_000
#: About how many row groups a segment has before they become larger.
_GROUPS = 64
#: Levels of zstd, of what is soon to be merged and of what stays for a year.
_QUICK, _SMALL = 1, 12
#: Columns by which rows are looked for. No other needs statistics, which are most of a wide segment's footer.
_SOUGHT = ("node", *dict.fromkeys(key for s in STREAMS.values() for key in s.keys), "epoch", "t0", "t1", "t", "bucket")
#: Columns of few different numbers, whose dictionary is small; and so those of bounds, and of what is unknown.
_FEW = ("before_us", "after_us", "cycles", "parts")


class SegmentWriter:
    """Writes one segment: `add` tables that are sorted and in order, then `finish`. `group`: rows of a row group.

    Until `finish` has returned there is only a temporary file, which leaving the `with` block removes.
    """

    def __init__(self, where: Path, label: str, schema: pa.Schema, group: int | None = None) -> None:
        where.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.where, self.schema, self.rows = where, schema, 0
        self._waiting: list[pa.Table] = []
        self.temporary = where / f".{label}.parquet.tmp"
        self._sums = _Sums(schema)
        merged = label in {"part", "hour"} or (label == "day" and "bucket" in schema.names)
        self._most = group or max(min(GROUP_VALUES // len(schema), GROUP), 1)
        self._least = group or (max(min(MERGED_VALUES // len(schema), GROUP), 1) if merged else self._most)
        encodings = _encodings(schema)
        repeated: Any = [n for n in schema.names if _few(n) or pa.types.is_string(schema.field(n).type)]
        self._file = self.temporary.open("wb")
        self._writer: Any = pq.ParquetWriter(
            self._file,
            schema,
            compression="zstd",
            compression_level=_QUICK if merged else _SMALL,
            use_dictionary=repeated,
            column_encoding=encodings,
            write_statistics=[n for n in _SOUGHT if n in schema.names],
            write_page_checksum=True,
            store_schema=False,
        )

    def add(self, table: pa.Table) -> None:
        """Write rows that come after those written so far. ValueError when they have other columns."""
        if not table.schema.equals(self.schema):
            raise ValueError(f"a table does not match the columns of {self.temporary}")
        self._sums.add(table)
        self.rows += len(table)
        self._waiting.append(table)
        if sum(len(t) for t in self._waiting) >= self._group:
            self._write()

    @property
    def _group(self) -> int:
        """Rows of the next row group: the larger the segment, the larger they are, or its footer would be large."""
        return min(max(self._least, self.rows // _GROUPS), self._most)

    def _write(self, *, all_of_it: bool = False) -> None:
        """Write what waits, in whole row groups, and at the end the rest."""
        if self._waiting:
            table = pa.concat_tables(self._waiting)
            group = self._group
            count = len(table) if all_of_it else len(table) // group * group
            if count:
                self._writer.write_table(table.slice(0, count), row_group_size=group)
            self._waiting = [table.slice(count)]

    def finish(self, footer: Footer, called: Callable[[str], None] | None = None) -> Segment:
        """Close, sync, read back, and give the file its name. SegmentError when the disk holds something else.

        `called` is told its digest before that is seen by anybody.
        """
        self._write(all_of_it=True)
        self._writer.add_key_value_metadata({KEY: footer.encode()})
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        # what is read back shall come from the disk, not from memory
        os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self._file.close()
        found = _Sums(self.schema)
        for table in _groups(self.temporary):
            found.add(table)
        if found.seen != self._sums.seen:
            raise SegmentError(f"{self.temporary} does not hold what was written to it")
        digest = digest_of(self.temporary)
        if called is not None:
            called(digest)
        path = self.where / name_of(footer.level, footer.since, footer.until, digest)
        self.temporary.replace(path)
        sync_folder(self.where)
        segment = named(path)
        assert segment is not None
        return segment

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, pa.ArrowException):
            # or it would try to when it is collected, and complain of the closed file
            self._writer.close()
        try:
            self._file.close()
        finally:
            self.temporary.unlink(missing_ok=True)


def _encodings(schema: pa.Schema) -> dict[str, str]:
    """By column: deltas for what goes on evenly (usage's times, counters as read), else bytes by their place.

    Growth has no order that deltas could use, and the times of readings have the noise of µs.
    """
    counters = "t" in schema.names
    found = {}
    for column in schema:
        time = pa.types.is_timestamp(column.type) or column.name == "boot_us"
        if not _few(column.name) and (time or pa.types.is_integer(column.type)):
            found[column.name] = "BYTE_STREAM_SPLIT" if time == counters else "DELTA_BINARY_PACKED"
    return found


def _few(name: str) -> bool:
    return name in _FEW or name.endswith(("_more", "_unknown"))


class _Sums:
    """What tells whether two tables hold the same: of each column the NULLs, and the sum or length of its values."""

    def __init__(self, schema: pa.Schema) -> None:
        self.seen = dict.fromkeys(schema.names, (0, 0))

    def add(self, table: pa.Table) -> None:
        for name, (nulls, total) in self.seen.items():
            column: Any = table.column(name)
            if pa.types.is_string(column.type):
                value = pc.sum(pc.binary_length(column)).as_py()
            elif pa.types.is_timestamp(column.type):
                value = pc.sum(column.cast(pa.int64())).as_py()
            else:
                value = pc.sum(column).as_py()
            self.seen[name] = nulls + column.null_count, (total + (value or 0)) % 2**64


def check(segment: Segment) -> None:
    """Read all of the segment: its digest and every page's checksum.

    SegmentError when it is damaged, OSError when it cannot be read now.
    """
    with reading(segment.path):
        if digest_of(segment.path) != segment.digest:
            raise SegmentError(f"{segment.path} does not have the digest in its name; it was changed or damaged")
        for _ in _groups(segment.path):
            pass


def read(path: Path, schema: pa.Schema, columns: list[str] | None = None, rows: Any = None) -> pa.Table:
    """The rows for which the expression `rows` holds, in today's columns; those the file lacks are NULL.

    SegmentError when a page is damaged, OSError when the file cannot be read now.
    """
    names = schema.names if columns is None else columns
    with reading(path):
        have = set(pq.read_schema(path).names)
        table = pq.read_table(
            path,
            columns=[n for n in names if n in have],
            filters=rows,
            use_threads=False,
            page_checksum_verification=True,
        )
    return in_schema(table, pa.schema([schema.field(n) for n in names]))


def in_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table in these columns; those it lacks are NULL."""
    have = set(table.column_names)
    arrays = [table.column(f.name).cast(f.type) if f.name in have else pa.nulls(len(table), f.type) for f in schema]
    return pa.table(arrays, schema=schema)


def counts(path: Path, column: str) -> dict[str | None, int]:
    """How many rows have which string in the column. SegmentError when a page is damaged."""
    found: dict[str | None, int] = {}
    with reading(path), pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=[column]) as file:
        for group in range(file.num_row_groups):
            chunk: Any = file.read_row_group(group, columns=[column], use_threads=False).column(column)
            for entry in pc.value_counts(chunk).to_pylist():
                found[entry["values"]] = found.get(entry["values"], 0) + entry["counts"]
    return found


def digest_of(path: Path) -> str:
    """The first 16 hexadecimal digits of the sha256 of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _groups(path: Path) -> Any:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, use_threads=False)
