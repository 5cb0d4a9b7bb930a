"""Steps: the spans of time into which an answer is divided, as people divide it.

Steps of whole days are calendar days of a zone, so some have 23 or 25 hours. Shorter ones begin at multiples of their
length in UTC. The first and the last step are cut where the question begins and ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from nasacct.errors import USAGE, NasacctError
from nasacct.store.tables import TIME
from nasacct.store.tree import STEPS
from nasacct.store.views import EVER
from nasacct.times import us
from nasacct.units import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nasacct.store.views import Piece

#: More rows than this nobody reads and no terminal holds.
MOST = 100_000
#: At whose multiples rows of usage are cut, and which cells do not reach over.
LEAST_US = min(STEPS.values()) * 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: From and to when a step reaches.
Span = tuple[datetime, datetime]
#: How rows find their steps, and whether they lie in them: in general, and where no edge of a step cuts a cell.
_ONE = "(SELECT *, $lo::BIGINT AS lo, $hi::BIGINT AS hi FROM {rows}{where})"
_MANY = "{rows} JOIN steps ON cell = t0_us // $cell_us{where}"
_REACHES = "t0_us < hi AND (t1_us > lo OR t0_us >= lo)"
_INSIDE = "t0_us >= lo AND t1_us <= hi AND "
_WHOLE = "NOT (whole AND (begun_us < lo OR over_us > hi))"


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps in their order: `spans` has from, to (timestamps) and lo, hi (from when to when rows count, µs of UTC).

    They do not overlap. Their rows lie in cells of `cell_us`, counted from 1970, over whose edges none reaches: that
    makes of the search for a row's steps a join on equal numbers. None: there is but one step.
    """

    spans: pa.Table
    cell_us: int | None = None

    def placed(self, rows: str, *, fits: bool = False) -> str:
        """The SELECT of `rows`, each with lo and hi of the steps that it reaches into; see `params` and `tables`.

        `fits`: each row lies in one step.
        """
        if self.cell_us is None:
            return _ONE.format(rows=rows, where="" if fits else f" WHERE {_REACHES}")
        return _MANY.format(rows=rows, where="" if fits else f" AND {_REACHES}")

    def inside(self, *, fits: bool = False) -> str:
        """The condition under which a row lies in its step, and with it the row of usage that it is a piece of."""
        return _WHOLE if fits else _INSIDE + _WHOLE

    def fits(self, pieces: Iterable[Piece]) -> bool:
        """Whether every row of these pieces lies in one step: none of usage, and no cell, reaches over 5 minutes."""
        edges = np.concatenate([self.spans.column(name).to_numpy() for name in ("lo", "hi")])
        aligned = bool(((edges % LEAST_US == 0) | (edges == EVER[1])).all())
        return aligned and all(edges.min() <= p.since_us and p.until_us <= edges.max() for p in pieces)

    @property
    def params(self) -> dict[str, int]:
        """The parameters of what `placed` gives."""
        if self.cell_us is None:
            return {name: self.spans.column(name)[0].as_py() for name in ("lo", "hi")}
        return {"cell_us": self.cell_us}

    @property
    def tables(self) -> dict[str, pa.Table]:
        """The table `steps` of what `placed` gives: each once for every cell that it has a part of."""
        if self.cell_us is None:
            return {}
        lo, hi = (self.spans.column(name).to_numpy() for name in ("lo", "hi"))
        first = lo // self.cell_us
        count = (hi - 1) // self.cell_us - first + 1
        row = np.repeat(np.arange(len(lo)), count)
        nth = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        cells = {"lo": pa.array(lo[row]), "hi": pa.array(hi[row]), "cell": pa.array(first[row] + nth)}
        return {"steps": pa.table(cells)}


def length_of(text: str) -> timedelta:
    """The length that `10s`, `5m`, `1h`, `1d` names; NasacctError when it is none, or less than a second."""
    try:
        length = timedelta(seconds=seconds(text))
    except (ValueError, OverflowError) as error:
        raise NasacctError(f"--step: {error}", USAGE) from None
    if length < timedelta(seconds=1):
        raise NasacctError(f"--step {text} is too short; say at least 1s", USAGE)
    return length


def one(since: datetime, until: datetime, lo: int, hi: int) -> Steps:
    """A single step, of which rows count from `lo` to `hi` (µs of UTC): beyond it where the question has no end."""
    return Steps(_spans([(since, until)], [(lo, hi)]))


def steps(
    first: datetime, last: datetime, length: timedelta, zone: tzinfo, begin: datetime, end: datetime
) -> list[Span]:
    """Every step that has any of the time from `first` to `last`, within the question's `begin` and `end`."""
    count = (last - first) / length
    if count > MOST:
        raise NasacctError(f"--step: that would be {count:,.0f} steps; say a longer step or less time", USAGE)
    found = [(max(lo, begin), min(hi, end)) for lo, hi in _edges(first, length, zone, last)]
    return [(lo, hi) for lo, hi in found if lo < hi]


def of_cells(spans: list[Span], cell_us: int) -> Steps:
    """The steps for cells of that length, at whose edges they may be cut."""
    return Steps(_spans(spans, [(us(low), us(high)) for low, high in spans]), cell_us)


def _edges(first: datetime, length: timedelta, zone: tzinfo, last: datetime) -> Iterator[tuple[datetime, datetime]]:
    day = timedelta(days=1)
    if length % day:
        low = _EPOCH + (first - _EPOCH) // length * length
        while low <= last:
            yield low, low + length
            low += length
        return
    today = first.astimezone(zone).date()
    while (low := _midnight(today, zone)) <= last:
        today += length
        yield low, _midnight(today, zone)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _spans(spans: list[Span], counted: list[tuple[int, int]]) -> pa.Table:
    ends = {name: pa.array([span[i] for span in spans], TIME) for i, name in enumerate(("from", "to"))}
    return pa.table(ends | {name: pa.array([c[i] for c in counted], pa.int64()) for i, name in enumerate(("lo", "hi"))})
