"""The text of /proc/spl/kstat/zfs/POOL/txgs, and what the transaction groups that a pool has committed add up to.

Printed by spa_txg_history_show (OpenZFS, module/zfs/spa_stats.c), a line for each of the last zfs_txg_history groups,
100 by default, oldest first; older versions print the head of a kstat above the headings:

    txg      birth            state ndirty       nread        nwritten     reads    writes   otime        qtime  ...
    5        56439292914      C     0            0            73216        0        21       175913905    30295  ...

A group is open for otime, quiesces for qtime, waits for wtime and is synced for stime; then it is committed (C). Times
are ns, the birth of CLOCK_MONOTONIC_RAW. ndirty is what it changed in memory, nread to writes what the pool's disks did
while it was synced: bytes and requests at the root of the pool, everybody's. Fields after the known ones are kept out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nasacct.collect.lines import ParseError, fields, lines, number

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What is added up of a committed group, as the headings call it.
SUMMED = ("ndirty", "nread", "nwritten", "reads", "writes", "otime", "qtime", "wtime", "stime")
_HEADINGS = ["txg", "birth", "state", *SUMMED]
_STIME = SUMMED.index("stime")
#: Born, open: nobody waits for such a group yet.
_OPEN = ("B", "O")
_COMMITTED = "C"


@dataclass(frozen=True, slots=True)
class Txg:
    """One transaction group: its number, its birth (ns), its state, and its numbers in the order of `SUMMED`."""

    txg: int
    birth_ns: int
    state: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class History:
    """The text, understood. `surplus` is how many fields were kept out."""

    groups: Sequence[Txg]
    surplus: int = 0

    @property
    def committed(self) -> list[Txg]:
        """Those that are on the disks."""
        return [one for one in self.groups if one.state == _COMMITTED]

    def pending_ns(self, raw_ns: int) -> int:
        """How long ago the oldest group was born that is not open any more and not committed yet; 0: there is none."""
        births = [one.birth_ns for one in self.groups if one.state not in (*_OPEN, _COMMITTED)]
        return max(raw_ns - min(births), 0) if births else 0


def parse(text: bytes | str) -> History:
    """Understand the whole text. Raises ParseError where that would need a guess."""
    found = lines(text)
    begin = next((i for i, line in enumerate(found[:2]) if fields(line)[: len(_HEADINGS)] == _HEADINGS), None)
    if begin is None:
        raise ParseError(1, f"there are no headings {' '.join(_HEADINGS)}")
    width = len(fields(found[begin]))
    groups = []
    for line_no, line in enumerate(found[begin + 1 :], begin + 2):
        words = fields(line)
        if len(words) != width:
            raise ParseError(line_no, f"it has {len(words)} fields under {width} headings: the line was cut")
        if len(words[2]) != 1 or words[2].isdigit():
            raise ParseError(line_no, f"{words[2]!r} stands where a state must")
        numbers = [number(word, line_no) for word in (*words[:2], *words[3 : len(_HEADINGS)])]
        groups.append(Txg(numbers[0], numbers[1], words[2], tuple(numbers[2:])))
    return History(groups, (width - len(_HEADINGS)) * len(groups))


def as_json(history: History) -> dict[str, object]:
    """`{"groups": [{"txg": 5, "birth": 56439292914, "state": "C", "ndirty": 0, ...}], "surplus": 0}`."""
    groups = [
        {"txg": one.txg, "birth": one.birth_ns, "state": one.state, **dict(zip(SUMMED, one.numbers, strict=True))}
        for one in history.groups
    ]
    return {"groups": groups, "surplus": history.surplus}


class Committed:
    """The sums of the groups that a pool has committed since `begin`, and of what of them could be seen.

    `missed` came and went between two looks: a hundred last for minutes, but each snapshot makes one. `longest_ns` is
    the longest sync of those that the last look found.
    """

    def __init__(self, begin: int | None) -> None:
        """After the group of that number; None: with the first one that is seen."""
        self._last = begin
        self.count, self.missed, self.longest_ns = 0, 0, 0
        self.sums = [0] * len(SUMMED)

    def look(self, history: History) -> None:
        """Add what is new."""
        self.longest_ns = 0
        for one in sorted(history.committed, key=lambda one: one.txg):
            last = one.txg - 1 if self._last is None else self._last
            if one.txg <= last:
                continue
            self.missed += one.txg - last - 1
            self.count, self._last = self.count + 1, one.txg
            self.sums = [a + b for a, b in zip(self.sums, one.numbers, strict=True)]
            self.longest_ns = max(self.longest_ns, one.numbers[_STIME])
