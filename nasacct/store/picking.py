"""The cells of one key, read from rollups without SQL, where few rows must be decoded for them.

DuckDB plans a question for longer than it takes to read the few thousand rows of one server. The row groups of cells
of an hour and a day are small (`tree.Relation.group`), and a file says which keys and times are in each of them.
What is read here is what the view's SELECT says of the same files; pages' checksums are checked.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nasacct.store.segments import reading
from nasacct.store.tree import STEPS, few
from nasacct.store.view_columns import cells

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from nasacct.store.segments import Segment
    from nasacct.store.view_columns import Column
    from nasacct.store.views import Seen

#: So many rows are decoded of a file at most: above, SQL, which decodes only what it looks for, is as fast.
_MOST = 25_000
#: What SQL makes of the times of cells (`view_columns.cells`), of those in µs of UTC and the cells' length.
_MADE: dict[str, Callable[[dict[str, Any], int], Any]] = {
    "t0_us": lambda at, _: pc.max_element_wise(at["bucket"], at["row_t0"]),
    "t1_us": lambda at, length_us: pc.min_element_wise(pc.add(at["bucket"], length_us), at["row_t1"]),
    "begun_us": lambda at, _: at["row_t0"],
    "over_us": lambda at, _: at["row_t1"],
    "whole": lambda at, _: pc.is_valid(at["row_t0"]),
}


class _Map(NamedTuple):
    """A file's metadata and columns, and for each row group how many rows it has and the span of key and time."""

    metadata: pq.FileMetaData
    names: frozenset[str]
    rows: list[int]
    spans: dict[str, list[tuple[Any, Any] | None]]


def picked(seen: Seen, key: str, value: str, asked: Collection[str]) -> pa.Table | None:
    """The rows of `seen.kept` whose `key` is that, in the columns `asked` but the key; None where SQL must be asked.

    SegmentError when a file is damaged, OSError when it cannot be read now.
    """
    step = seen.view.step
    if step is None or not seen.kept or not few(step):
        return None
    length_us = STEPS[step] * 1_000_000
    span = seen.piece.since_us, seen.piece.until_us
    if seen.cut and any(edge % length_us for edge in span):
        return None
    known = cells(seen.view.stream, length_us)
    wanted = [known[name] for name in known if name in asked and name != key]
    if not all(_source(column) or column.name in _MADE for column in wanted):
        return None
    needed = {key, "bucket", *(name for column in wanted for name in column.of)}
    begin = span[0] // length_us * length_us
    tables = []
    for segment in seen.kept:
        rows = _read(segment, key, value, (begin, span[1]), needed)
        if rows is None:
            return None
        tables.append(rows)
    found = pa.concat_tables(tables)
    have: dict[str, Any] = {name: found.column(name) for name in needed}
    have |= {name: have[name].cast(pa.string()) for name in (key, "epoch") if name in needed}
    at: dict[str, Any] = {
        name: have[name].cast(pa.int64()) for name in ("bucket", "row_t0", "row_t1") if name in needed
    }
    return pa.table({c.name: have[of] if (of := _source(c)) else _MADE[c.name](at, length_us) for c in wanted})


def _source(column: Column) -> str | None:
    """The column of a file that this one is, None if it is made of any."""
    first = column.of[0]
    return first if column.sql == f'"{first}"' else None


def _read(segment: Segment, key: str, value: str, span: tuple[int, int], needed: Collection[str]) -> pa.Table | None:
    """The rows of one file in these columns; None when it lacks any, or too many would be decoded."""
    with reading(segment.path):
        status = segment.path.stat()
        found = _mapped(segment.path, key, status.st_size, status.st_mtime_ns)
        if not found.names.issuperset(needed):
            return None
        groups = [
            i
            for i, (who, when) in enumerate(zip(found.spans[key], found.spans["bucket"], strict=True))
            if (who is None or who[0] <= value <= who[1])
            and (when is None or (when[0] < span[1] and when[1] >= span[0]))
        ]
        if sum(found.rows[i] for i in groups) > _MOST:
            return None
        texts = [name for name in (key, "epoch") if name in needed]
        with pa.OSFile(str(segment.path), "rb") as source:
            file = pq.ParquetFile(
                source, metadata=found.metadata, read_dictionary=texts, page_checksum_verification=True
            )
            rows = file.read_row_groups(groups, columns=sorted(needed), use_threads=False)
    bucket: Any = rows.column("bucket").cast(pa.int64())
    keys: Any = rows.column(key)
    early, late = pc.greater_equal(bucket, pa.scalar(span[0])), pc.less(bucket, pa.scalar(span[1]))
    return rows.filter(pc.and_(pc.equal(keys, pa.scalar(value)), pc.and_(early, late)))


@lru_cache(maxsize=64)
def _mapped(path: Path, key: str, _size: int, _mtime_ns: int) -> _Map:
    # names of their own for the arguments that only tell one state of a file from the next
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    names = metadata.schema.names
    spans = {name: [_span(group, names.index(name)) for group in groups] for name in (key, "bucket")}
    return _Map(metadata, frozenset(names), [group.num_rows for group in groups], spans)


def _span(group: pq.RowGroupMetaData, column: int) -> tuple[Any, Any] | None:
    """The least and the greatest value of a row group, times as µs of UTC; None when it does not say."""
    said = group.column(column).statistics
    if said is None or not said.has_min_max:
        return None
    if said.physical_type == "INT64":
        return said.min_raw, said.max_raw
    return said.min, said.max
