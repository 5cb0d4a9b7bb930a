"""The warehouse's views as SELECTs, each of these files and of the journal's tail.

Of every stream there are its usage (`nfsd`), its readings (`readings_nfsd`), and its usage in cells of 5 minutes, an
hour, a day (`nfsd_5m`, `nfsd_1h`, `nfsd_1d`). The cells have the columns of usage, so one question may be asked of any
of them, or of a view that has each span of time from another one (`Piece`).

Most of a short question's time goes to planning it, and that grows with every column and every SELECT around another:
so a view is one SELECT, of the columns that are asked for, wherever its files have them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from nasacct.store.engine import quoted
from nasacct.store.schema import STREAMS
from nasacct.store.segments import columns
from nasacct.store.tables import readings_schema, usage_schema
from nasacct.store.tree import STEPS
from nasacct.store.view_columns import cells, kept, readings, rows, summed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nasacct.store.segments import Segment
    from nasacct.store.stream import Stream
    from nasacct.store.tree import Relation, Tree
    from nasacct.store.view_columns import Column

_READINGS = "readings_"
#: What the view of usage that is kept for ever has behind its stream's name.
CUT = "cut"
#: Before and after everything that a store can hold, in µs of UTC.
EVER = (0, 1 << 62)


@dataclass(frozen=True, slots=True)
class Piece:
    """The rows of the view `name` that begin from `since_us` up to before `until_us` (µs, edges of its cells).

    Of readings, all that the files hold which reach into that time: the ones before the span are among them.
    """

    name: str
    since_us: int = EVER[0]
    until_us: int = EVER[1]


@dataclass(frozen=True, slots=True)
class View:
    """What a view's name says: of which stream it is, whether of its readings, and how long its cells are.

    `around`: with usage, there is what is kept for ever of deleted one (`cuts.py`).
    """

    name: str
    stream: Stream
    readings: bool
    step: str | None
    around: bool = False

    @classmethod
    def of(cls, name: str) -> View:
        """The view of that name; KeyError when there is none."""
        stream, _, step = name.removeprefix(_READINGS).partition("_")
        around = step == CUT
        if step and step not in STEPS and not around:
            raise KeyError(name)
        return cls(name, STREAMS[stream], name.startswith(_READINGS), None if around else step or None, around)

    def rows(self, tree: Tree) -> Relation:
        """The relation that has the rows: readings or usage."""
        return tree.relation("readings" if self.readings else "usage", self.stream)


@dataclass(slots=True)
class Seen:
    """What a view of this piece is made of: `kept` rollups, `segments` and a `tail` of readings or of other usage.

    Only a piece that is `cut` leaves out what its files hold of other times.
    """

    name: str
    piece: Piece
    view: View
    cut: bool = False
    segments: list[Segment] = field(default_factory=list)
    kept: list[Segment] = field(default_factory=list)
    tail: list[pa.Table] = field(default_factory=list)

    @property
    def has_rows(self) -> bool:
        """Whether there may be any."""
        return bool(self.segments or self.kept) or any(map(len, self.tail))

    @property
    def tail_name(self) -> str:
        """Under which name the SELECT looks for `table`, where there is any tail or no segment."""
        return f"tail_{self.name}"

    def table(self) -> pa.Table:
        """The tail as one table."""
        schema = (readings_schema if self.view.readings else usage_schema)(self.view.stream)
        return pa.concat_tables(self.tail) if self.tail else schema.empty_table()

    def select(self, asked: Collection[str] | None = None) -> str:
        """The view's SELECT, of the columns `asked`, or of all; beside a table `tail_name`."""
        view = self.view
        if view.step is not None:
            return self._cells(view.stream, STEPS[view.step] * 1_000_000, asked)
        found = _those(readings(view.stream) if view.readings else rows(view.stream), asked)
        where = []
        if self.cut and not view.readings:
            where = [f"{edge} make_timestamptz({at})" for edge, at in self._edges("t0")]
        return _select(found, self._rows({name for column in found for name in column.of}), where)

    def _rows(self, needed: Collection[str]) -> str:
        """Where the rows come from."""
        if not self.segments:
            return self.tail_name
        if not _have(self.segments, needed):
            # what an older segment lacks is NULL
            return f"({_from('*', _read(self.segments))}\nUNION ALL BY NAME\n{_from('*', self.tail_name)})"
        files = _read(self.segments, alike=True)
        if not any(map(len, self.tail)):
            return files
        names = ", ".join(f'"{name}"' for name in sorted(needed))
        return f"({_from(names, files)}\nUNION ALL\n{_from(names, self.tail_name)})"

    def _cells(self, stream: Stream, length_us: int, asked: Collection[str] | None) -> str:
        found = _those(cells(stream, length_us), asked)
        needed = {name for column in found for name in column.of}
        begin = self.piece.since_us // length_us * length_us
        within = [f"bucket >= make_timestamptz({begin})", f"bucket < make_timestamptz({self.piece.until_us})"]
        # a piece that ends within a cell has what of the cell begins before
        t0_us = cells(stream, length_us)["t0_us"].sql
        where = [f"{edge} {at}" for edge, at in self._edges(t0_us) if at % length_us] if self.cut else []
        if self.kept and not self.segments and not any(map(len, self.tail)) and _have(self.kept, needed):
            return _select(found, _read(self.kept, alike=True), within + where)
        sources = []
        if self.kept:
            have = frozenset().union(*map(columns, self.kept))
            sources.append(_select(kept(stream, have), _read(self.kept), within))
        if self.segments or any(map(len, self.tail)) or not self.kept:
            source = self._rows(usage_schema(stream).names)
            sources.append(summed(stream, source, length_us, begin, self.piece.until_us))
        return _select(found, "({})".format("\nUNION ALL BY NAME\n".join(sources)), where)

    def _edges(self, what: str) -> list[tuple[str, int]]:
        """The conditions that `what` lies in the piece: what stands before a moment, and the moment."""
        edges = [(f"{what} >=", self.piece.since_us), (f"{what} <", self.piece.until_us)]
        return [(edge, at) for edge, at in edges if at not in EVER]


def joined(name: str, seen: Sequence[Seen], asked: Collection[str] | None) -> dict[str, str]:
    """The SELECTs, by their names, that a view which is made of several pieces needs."""
    if len(seen) == 1:
        return {name: seen[0].select(asked)}
    parts = {what.name: what.select(asked) for what in seen}
    return parts | {name: "\nUNION ALL BY NAME\n".join(_from("*", part) for part in parts)}


def _those(known: dict[str, Column], asked: Collection[str] | None) -> list[Column]:
    """The columns that are asked for, in their order, and always one."""
    found = [column for name, column in known.items() if asked is None or name in asked]
    return found or [next(iter(known.values()))]


def _select(found: Sequence[Column], source: str, where: Sequence[str]) -> str:
    named = ", ".join(column.sql if column.plain else f'{column.sql} AS "{column.name}"' for column in found)
    return _from(named, source) + (f"\nWHERE {' AND '.join(where)}" if where else "")


def _from(named: str, source: str) -> str:
    return f"SELECT {named}\nFROM {source}"


def _have(segments: Sequence[Segment], needed: Collection[str]) -> bool:
    """Whether all of the segments have all of the columns."""
    return all(columns(segment).issuperset(needed) for segment in segments)


def _read(segments: Sequence[Segment], *, alike: bool = False) -> str:
    """The files as a table; unless they have the columns `alike`, with every column that any of them has."""
    files = ", ".join(quoted(str(s.path)) for s in segments)
    return f"read_parquet([{files}]{'' if alike else ', union_by_name = true'}, hive_partitioning = false)"
