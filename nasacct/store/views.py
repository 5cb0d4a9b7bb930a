"""The warehouse's views as SELECTs, each of these files and of the journal's tail.

Of every stream there are its usage (`nfsd`), its readings (`readings_nfsd`), and its usage in cells of 5 minutes, an
hour, a day (`nfsd_5m`, `nfsd_1h`, `nfsd_1d`). The cells have the columns of usage, so one question may be asked of any
of them, or of a view that has each span of time from another one (`Piece`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import pyarrow as pa

from nasacct.store.engine import quoted
from nasacct.store.schema import STREAMS
from nasacct.store.tables import readings_schema, rollup_schema, usage_schema
from nasacct.store.tree import STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nasacct.store.schema import Stream
    from nasacct.store.segments import Segment
    from nasacct.store.tree import Relation, Tree

_READINGS = "readings_"
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
    """What a view's name says: of which stream it is, whether of its readings, and how long its cells are."""

    name: str
    stream: Stream
    readings: bool
    step: str | None

    @classmethod
    def of(cls, name: str) -> View:
        """The view of that name; KeyError when there is none."""
        stream, _, step = name.removeprefix(_READINGS).partition("_")
        if step and step not in STEPS:
            raise KeyError(name)
        return cls(name, STREAMS[stream], name.startswith(_READINGS), step or None)

    def rows(self, tree: Tree) -> Relation:
        """The relation that has the rows: readings or usage."""
        return tree.relation("readings" if self.readings else "usage", self.stream)


@dataclass(slots=True)
class Seen:
    """What a view of this piece is made of: `kept` rollups, `segments` and a `tail` of readings or of other usage."""

    name: str
    piece: Piece
    view: View
    segments: list[Segment] = field(default_factory=list)
    kept: list[Segment] = field(default_factory=list)
    tail: list[pa.Table] = field(default_factory=list)

    def table(self) -> pa.Table:
        """The tail as one table."""
        schema = readings_schema(self.view.stream) if self.view.readings else usage_schema(self.view.stream)
        return pa.concat_tables([schema.empty_table(), *self.tail])

    def select(self) -> str:
        """The view's SELECT, beside a table `tail_<name>`."""
        if self.view.step is None:
            # some operations and times have names that are words of SQL
            schema = self.table().schema
            columns = ", ".join(f'"{name}"' for name in schema.names)
            if not self.view.readings:
                columns += _unknown(self.view.stream)
            kind = "readings" if self.view.readings else "usage"
            return _template(kind).format(columns=columns, source=self._rows())
        length = STEPS[self.view.step] * 1_000_000
        begin = self.piece.since_us // length * length
        span = {"since_us": begin, "until_us": self.piece.until_us, "length_us": length}
        sources = []
        if self.kept:
            columns = ", ".join(f'"{name}"' for name in rollup_schema(self.view.stream).names)
            sources.append(_template("sums_kept").format(files=_files(self.kept), columns=columns, **span))
        if self.segments or any(map(len, self.tail)) or not self.kept:
            sources.append(_template("sums_new").format(source=self._rows(), **_sums(self.view.stream), **span))
        source = "UNION ALL BY NAME\n".join(sources)
        columns = _cells(self.view.stream)
        return _template("rollup").format(columns=columns, length_us=length, source=source)

    def _rows(self) -> str:
        name = "segments_and_tail" if self.segments else "tail"
        return _template(name).format(view=self.name, files=_files(self.segments))


def joined(seen: Sequence[Seen]) -> str:
    """The SELECT of one view that is made of the views of several pieces."""
    parts = [
        _template("whole_piece" if s.view.readings else "piece").format(
            view=s.name, since_us=s.piece.since_us, until_us=s.piece.until_us
        )
        for s in seen
    ]
    return _template("pieces").format(pieces="UNION ALL BY NAME\n".join(parts))


def _files(segments: Sequence[Segment]) -> str:
    return ", ".join(quoted(str(s.path)) for s in segments)


@cache
def _sums(stream: Stream) -> dict[str, str]:
    """What fills sums_new.sql for a stream."""
    sums = [_template("sum_bounded" if m.bounded else "sum_plain").strip().format(m=m.name) for m in stream.usage]
    bounded = [f'coalesce("{m.name}_more" > 0, false)' for m in stream.usage if m.bounded]
    keys = "".join(f'"{key}", ' for key in stream.keys)
    return {"sums": ",\n       ".join(sums), "long": " OR ".join(bounded) or "false", "keys": keys}


@cache
def _unknown(stream: Stream) -> str:
    """Of each bounded measure the column that says whether its part is unknown, as the cells count them."""
    names = [m.name for m in stream.usage if m.bounded]
    return "".join(f', CAST("{n}" IS NULL OR "{n}_more" IS NULL AS BIGINT) AS "{n}_unknown"' for n in names)


@cache
def _cells(stream: Stream) -> str:
    """The columns of rollup.sql that come as they are: a bound is NULL where any part has none."""
    found = [f'"{name}"' for name in ("node", *stream.keys, "epoch", "t0", "t1", "whole", "parts")]
    for measure in stream.usage:
        found.append(f'"{measure.name}"')
        if measure.bounded:
            more, unknown = f'"{measure.name}_more"', f'"{measure.name}_unknown"'
            found += [f"CASE WHEN {unknown} = 0 THEN {more} END AS {more}", unknown]
    return ", ".join(found)


@cache
def _template(name: str) -> str:
    text = resources.files("nasacct.store.sql").joinpath(f"{name}.sql").read_text()
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("--"))
