"""Levels: from which cells a question is answered: the longest that have an edge wherever the question has one.

Rollups of a day are UTC days. A month of a zone is made of the days that lie in it, and at both ends of hours, 5-minute
cells and rows of usage, as far as its edges ask for them: few rows, and the same sums to the byte.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from nasacct.reports.steps import LEAST_US
from nasacct.store.compaction import SETTLED_S
from nasacct.store.tree import STEPS
from nasacct.store.views import CUT, EVER, Piece

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nasacct.store.warehouse import Warehouse

#: The cells from the longest to the shortest, by the suffix of their view: µs; rows of usage have no suffix.
LENGTHS = {f"_{name}": seconds * 1_000_000 for name, seconds in sorted(STEPS.items(), key=lambda item: -item[1])}
#: A question over less than this is asked of usage itself.
SHORT_US = LENGTHS["_1d"]


def between(warehouse: Warehouse, names: Sequence[str], lo: int, hi: int) -> Mapping[str, Sequence[Piece]]:
    """The pieces of the views `names` for one span from `lo` to `hi` (µs of UTC; EVER's ends: without end)."""
    return _pieces(warehouse, names, [("", lo, hi)] if hi - lo < SHORT_US else _ladder(lo, hi), (lo, hi))


def of(warehouse: Warehouse, names: Sequence[str], length_us: int, lo: int, hi: int) -> Mapping[str, Sequence[Piece]]:
    """The pieces of the views `names` for sums over buckets of that length: of the longest cells that make them up.

    What is in no rollups yet is told by rows of usage: whoever sums them up needs no cells made of them first. So is a
    day: its rows are found in a day's file sooner than its 5 minutes in a month's.
    """
    level = next((s for s, length in LENGTHS.items() if length_us % length == 0), "")
    if not level or length_us == LEAST_US:
        return _pieces(warehouse, names, [("", lo, hi)])
    length = LENGTHS[level]
    # a little of the last day that is summed is in what is not
    until = (warehouse.summed_until(names, level[1:]) - SETTLED_S * 1_000_000) // length * length
    until = min(max(until, lo), hi)
    return _pieces(warehouse, names, [(level, lo, until), ("", until, hi)])


def finest(warehouse: Warehouse, names: Sequence[str], lo: int, hi: int) -> Mapping[str, Sequence[Piece]]:
    """The pieces of the views `names` that tell most precisely what was from `lo` to `hi`."""
    return _pieces(warehouse, names, [("", lo, hi)], (lo, hi))


def stepped(
    warehouse: Warehouse, names: Sequence[str], edges: Iterable[int]
) -> tuple[Mapping[str, Sequence[Piece]], int]:
    """The pieces for spans between many `edges` (µs of UTC, ascending), and the length of the shortest cells in µs.

    Rows of usage count as cells of 5 minutes, at whose edges they are cut.
    """
    found = sorted(set(edges))
    fit = (s for s, length in LENGTHS.items() if length < SHORT_US and all(e % length == 0 for e in found))
    level = next(fit, "")
    lo, hi = (found[0], found[-1]) if found else EVER
    return _pieces(warehouse, names, [(level, lo, hi)], found), LENGTHS.get(level, LEAST_US)


def _ladder(lo: int, hi: int) -> list[tuple[str, int, int]]:
    """The span in pieces, from short cells at its beginning over long ones to short ones at its end."""
    levels = list(LENGTHS)
    up = [-(-lo // length) * length for length in LENGTHS.values()]
    down = [hi if hi == EVER[1] else hi // length * length for length in LENGTHS.values()]
    edges = [lo // LEAST_US * LEAST_US, *reversed(up), *down, hi]
    between_them = ["", *reversed(levels), *levels[1:], ""]
    return [
        (at, since, until) for at, (since, until) in zip(between_them, pairwise(edges), strict=True) if since < until
    ]


def _pieces(
    warehouse: Warehouse, names: Sequence[str], spans: list[tuple[str, int, int]], edges: Iterable[int] = ()
) -> Mapping[str, Sequence[Piece]]:
    """The spans as pieces; where usage is kept no more, cells of 5 minutes are the finest that there is.

    But for those that one of the `edges` cuts, if their rows are kept for ever because something changed hands there.
    """
    kept = warehouse.usage_since(names)
    cut = {at // LEAST_US * LEAST_US for at in edges if at % LEAST_US and at < kept}
    return {name: list(_of(name, spans, kept, warehouse.kept_around(name, cut))) for name in names}


def _of(name: str, spans: list[tuple[str, int, int]], kept: int, around: Sequence[int]) -> Iterator[Piece]:
    """The spans of one view, usage of which is `kept` from then on, and before in the 5 minutes `around` cuts."""
    for level, since, until in spans:
        begin = since // LEAST_US * LEAST_US
        while not level and begin < min(kept, until):
            cell = next((cell for cell in around if cell >= begin), EVER[1])
            if cell > begin:
                yield Piece(f"{name}_5m", begin, min(cell, kept, until))
            if cell < min(kept, until):
                yield Piece(f"{name}_{CUT}", cell, min(cell + LEAST_US, until))
            begin = min(cell + LEAST_US, kept)
        if begin < until:
            yield Piece(name + level, begin, until)
