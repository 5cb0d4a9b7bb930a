"""Spans of journal files: which of them a segment was made of, in a few words however many there are.

    [["00000001-20261001T000003Z-1f6c2d3e.journal", "00000096-20261001T234503Z-1f6c2d3e.journal"]]

A span is a first and a last name. Between them lie all files with the numbers between theirs that were begun between
their times. Numbers only grow, but whoever empties a journal folder lets them begin at 1 again; such a file was begun
later, so it is never taken for one of a span. Where the clock was set back from one file to the next, a span ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME = re.compile(r"(\d{8})-(\d{8}T\d{6})Z-[0-9a-f]{8}\.journal")


@dataclass(frozen=True)
class Spans:
    """Spans in the order of their numbers; no two of them meet."""

    names: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, names: Iterable[str]) -> Spans:
        """The spans of these journal files; other names are passed over."""
        return cls(_joined((name, name) for name in names if _NAME.fullmatch(name)))

    @classmethod
    def all(cls, several: Iterable[Spans]) -> Spans:
        """The files of all of them."""
        return cls(_joined(pair for spans in several for pair in spans.names))

    @classmethod
    def decode(cls, said: Any) -> Spans:
        """The same back from JSON; ValueError, TypeError when it is none."""
        names = tuple((first, last) for first, last in said)
        for pair in names:
            _place(*pair)
        return cls(names)

    def encode(self) -> list[list[str]]:
        """As JSON has it."""
        return [list(pair) for pair in self.names]

    def __or__(self, other: Spans) -> Spans:
        return Spans.all((self, other))

    def __bool__(self) -> bool:
        return bool(self.names)

    @property
    def count(self) -> int:
        """How many files these are."""
        return sum(last - first + 1 for first, last, _, _ in self._places)

    def covers(self, other: Spans) -> bool:
        """Whether every file of the other spans is in these."""
        return all(any(_holds(mine, its) for mine in self._places) for its in other._places)

    def meets(self, other: Spans) -> bool:
        """Whether any file of the other spans is in these."""
        return any(_meet(mine, its) for mine in self._places for its in other._places)

    @cached_property
    def _places(self) -> tuple[tuple[int, int, str, str], ...]:
        return tuple(_place(*pair) for pair in self.names)


NONE = Spans()


def apart(several: Iterable[Spans]) -> bool:
    """Whether no file's number is in two of them, which is quickly known, so that no two of them meet."""
    numbers = sorted((int(first[:8]), int(last[:8])) for spans in several for first, last in spans.names)
    return all(before[1] < after[0] for before, after in pairwise(numbers))


def _place(first: str, last: str) -> tuple[int, int, str, str]:
    """The numbers and the times of a span's ends."""
    one, other = _NAME.fullmatch(first), _NAME.fullmatch(last)
    if one is None or other is None:
        raise ValueError(f"{first} .. {last} are no journal files")
    return int(one[1]), int(other[1]), one[2], other[2]


def _holds(one: tuple[int, int, str, str], other: tuple[int, int, str, str]) -> bool:
    return one[0] <= other[0] and other[1] <= one[1] and one[2] <= other[2] and other[3] <= one[3]


def _meet(one: tuple[int, int, str, str], other: tuple[int, int, str, str]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1] and one[2] <= other[3] and other[2] <= one[3]


def _joined(spans: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The same files in as few spans as can be; where spans overlap they are one."""
    found: list[tuple[tuple[int, int, str, str], str, str]] = []
    for place, first, last in sorted((_place(*pair), *pair) for pair in spans):
        if found:
            before, begin, _ = found[-1]
            follows = place[0] == before[1] + 1 and place[2] >= before[3]
            if _holds(before, place):
                continue
            if follows or _meet(before, place):
                found[-1] = (before[0], place[1], before[2], place[3]), begin, last
                continue
        found.append((place, first, last))
    return tuple((first, last) for _, first, last in found)
