"""All rows of several segments in their common order, a table at a time, each small enough to be held.

Every segment is read once, from its beginning to its end, one row group after the other.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nasacct.store.segment_file import in_schema
from nasacct.store.segments import reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nasacct.store.tree import Relation

#: How many values are held in memory at once.
VALUES = 2_000_000


class _Cursor:
    """One segment; `rows` are those that were read and not given away. Raises as `reading` does."""

    def __init__(self, path: Path, schema: pa.Schema, files: ExitStack) -> None:
        self._path, self._schema, self._group = path, schema, 0
        with reading(path):
            self._file = files.enter_context(pq.ParquetFile(path, page_checksum_verification=True))
            names = set(self._file.schema_arrow.names)
        self._columns = [n for n in schema.names if n in names]
        self.rows = schema.empty_table()

    @property
    def ended(self) -> bool:
        """Nothing is left to be read."""
        return self._group >= self._file.num_row_groups

    def read(self) -> int:
        """Read one more group; gives back how many rows it has."""
        with reading(self._path):
            found = self._file.read_row_group(self._group, columns=self._columns, use_threads=False)
        self._group += 1
        self.rows = pa.concat_tables([self.rows, in_schema(found, self._schema)])
        return len(found)

    def last(self, key: str) -> tuple[bool, str]:
        """The last key that was read, to be compared; NULL comes after all others."""
        if not len(self.rows):
            return False, ""
        value: str | None = self.rows.column(key)[-1].as_py()
        return value is None, value or ""

    def take(self, key: str, before: tuple[bool, str] | None) -> pa.Table:
        """Give away the rows whose key lies before this one, or all."""
        count = len(self.rows)
        if before is not None and count:
            keys: Any = self.rows.column(key)
            named: Any = pc.is_valid(keys)
            earlier: Any = named if before[0] else pc.and_kleene(named, pc.less(keys, pa.scalar(before[1])))
            count = pc.sum(earlier).as_py()
        taken, self.rows = self.rows.slice(0, count), self.rows.slice(count)
        return taken


def in_order(relation: Relation, paths: Sequence[Path], schema: pa.Schema | None = None) -> Iterator[pa.Table]:
    """All rows of these segments of one relation, sorted, in the relation's columns or the given ones.

    The rows of one key are never in two tables, so that what is summed by key is whole in each.
    """
    columns = schema or relation.schema
    most = max(VALUES // len(columns), 1)
    key = relation.stream.keys[0] if relation.stream.keys else columns.names[0]
    with ExitStack() as files:
        cursors = [_Cursor(path, columns, files) for path in paths]
        while reading_on := [c for c in cursors if not c.ended]:
            # what is not read yet of a segment lies at or behind its last key: up to the first of these all is known
            min(reading_on, key=lambda c: c.last(key)).read()
            if sum(len(c.rows) for c in cursors) < most:
                continue
            known = min((c.last(key) for c in cursors if not c.ended), default=None)
            yield from _sorted(relation, [c.take(key, known) for c in cursors])
        yield from _sorted(relation, [c.take(key, None) for c in cursors])


def _sorted(relation: Relation, taken: list[pa.Table]) -> Iterator[pa.Table]:
    if any(map(len, taken)):
        yield pa.concat_tables(taken).sort_by(relation.order)
