"""Groups of segments that were made of the same journal files, whatever they were merged into since."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import or_
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from nasacct.store.journal_spans import Spans
from nasacct.store.segment_file import counts, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nasacct.store.segments import Footer, Segment
    from nasacct.store.stream import Stream

#: How many values of one side are held in memory at once.
VALUES = 2_000_000


@dataclass(frozen=True, slots=True)
class Group:
    """Segments of several relations, by the relation's number, that have journal files in common."""

    sides: tuple[dict[Segment, Footer], ...]

    def journals(self, side: int) -> Spans:
        """The journal files of which one relation's segments were made."""
        return reduce(or_, (footer.journals for footer in self.sides[side].values()), Spans())


def groups(sides: Sequence[dict[Segment, Footer]]) -> list[Group]:
    """All segments in groups: whatever has a journal file in common is in one."""
    found: list[tuple[Spans, tuple[dict[Segment, Footer], ...]]] = []
    for side, segments in enumerate(sides):
        for segment, footer in sorted(segments.items(), key=lambda item: item[0].since):
            mine: tuple[dict[Segment, Footer], ...] = tuple({} for _ in sides)
            mine[side][segment] = footer
            journals, others = footer.journals, []
            for spans, there in found:
                if not spans.meets(footer.journals):
                    others.append((spans, there))
                    continue
                journals |= spans
                for one, other in zip(mine, there, strict=True):
                    one.update(other)
            found = [*others, (journals, mine)]
    return [Group(there) for _, there in found]


def slices(
    stream: Stream, sides: Sequence[tuple[Sequence[Segment], pa.Schema, Any]], measured: int
) -> Iterator[list[pa.Table]]:
    """The rows of several sides, each of the same keys, in tables small enough to be held: one table a side.

    A side is segments, the columns that are read, and which rows (an expression; None: all). The first `measured` sides
    tell how many rows a key has. SegmentError, OSError as `read` raises them.
    """
    for which in _ranges(stream, sides[:measured]):
        yield [
            pa.concat_tables([schema.empty_table(), *(read(s.path, schema, rows=_both(which, more)) for s in segments)])
            for segments, schema, more in sides
        ]


def _ranges(stream: Stream, sides: Sequence[tuple[Sequence[Segment], pa.Schema, Any]]) -> Iterator[Any]:
    """Expressions for ranges of the first key that follow each other, with all keys there can be in one of them."""
    if not stream.keys:
        yield None
        return
    key = stream.keys[0]
    sizes: dict[str | None, int] = {}
    for segments, schema, _ in sides:
        for segment in segments:
            for value, rows in counts(segment.path, key).items():
                sizes[value] = sizes.get(value, 0) + rows * len(schema)
    field: Any = pc.field(key)
    after, held = None, 0
    named = sorted(k for k in sizes if k is not None)
    for value, following in pairwise(named):
        held += sizes[value]
        if held + sizes[following] > VALUES * len(sides):
            yield _both(None if after is None else field > after, field <= value)
            after, held = value, 0
    yield None if after is None else (field > after) | field.is_null()


def _both(one: Any, other: Any) -> Any:
    """Both conditions, each of which may be none."""
    return other if one is None else one if other is None else one & other
