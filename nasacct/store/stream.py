"""Streams and measures: what one kind of row is made of, and what each of its numbers is; `schema.py` has them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["counter", "gauge"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a reading.

    `bits` is 32 where every kernel counts in 32 bits (a fall is then a wrap); where only some do, the subject says
    so. `per_s` bounds how fast a 32-bit counter can grow, per second: it tells whether a wrap could have been missed.
    """

    name: str
    unit: str
    kind: Kind = "counter"
    bits: Literal[32, 64] = 64
    per_s: int = 10_000_000


@dataclass(frozen=True, slots=True)
class UsageMeasure:
    """One number of usage: the sum of the growth of the named counters.

    A `bounded` measure travels with a second column, `<name>_more`: by how much the truth may exceed the value (0 =
    exact, NULL = nobody knows). Other measures are NULL where unknown.
    """

    name: str
    unit: str
    of: tuple[str, ...]
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of row: `keys` name the columns that say what it is about, beside `node` and `epoch`.

    Of a `joined` one, usage has one row for all subjects with the same keys whose epochs differ in their last part.
    """

    name: str
    source: str
    keys: tuple[str, ...]
    measures: tuple[Measure, ...]
    usage: tuple[UsageMeasure, ...]
    joined: bool = False
    index: dict[str, int] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {m.name: i for i, m in enumerate(self.measures)})

    def __hash__(self) -> int:
        # what is made of a stream is looked up with every answer, and it has a hundred measures
        return hash(self.name)

    @property
    def width(self) -> int:
        """How many measures a reading has."""
        return len(self.measures)
