"""What is asked of a pool: streams of members, rounds of calls a second, and local jobs (see `work.toml`)."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.signal import lfilter

if TYPE_CHECKING:
    from bench.scenarios.disks import Floats

WORK: dict[str, dict[str, dict[str, Any]]] = tomllib.loads((Path(__file__).parent / "work.toml").read_text())

#: Calls of a round, in the order of arrays.
CALLS = ("reads", "writes", "commits", "lookups", "changes", "removes")
_UNSET: dict[str, float] = dict.fromkeys(CALLS, 0.0) | {
    "read_kb": 32.0, "write_kb": 32.0, "set_mb": 1000.0, "streams": 0.0, "record_kb": 128.0, "inodes_mb": 1.0,
    "in_place": 0.0, "freed_mb": 0.0, "outstanding": 8.0,
}  # fmt: skip
#: A range is drawn from by its logarithm if its ends are so many times apart.
_WIDE = 20
_STEP_S = 10


@dataclass(frozen=True, slots=True, eq=False)
class Streams:
    """Activities of members; arrays are of streams. What a stream asks for is rounds a second."""

    member: np.ndarray  #: index of whose it is
    rounds: Floats  #: seconds x streams
    of: dict[str, Floats]  #: numbers of `work.toml`, by name

    def __getitem__(self, name: str) -> Floats:
        return self.of[name]

    @property
    def calls(self) -> Floats:
        """CALLS x streams: calls of a round."""
        return np.stack([self.of[name] for name in CALLS])


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """A job of the node itself."""

    name: str
    wanted: Floats  #: seconds: disks' time it would take if it could, of a disk
    of: dict[str, float]


def drawn(random: np.random.Generator, asked: Any) -> Any:
    """A number: itself, or one out of a range."""
    if not isinstance(asked, list):
        return asked
    low, high = asked
    if isinstance(low, int) and isinstance(high, int) and high <= 200:
        return int(random.integers(low, high + 1))
    if low > 0 and high / low > _WIDE:
        return float(math.exp(random.uniform(math.log(low), math.log(high))))
    return float(random.uniform(low, high))


def numbers(random: np.random.Generator, table: dict[str, Any]) -> dict[str, float]:
    """Of a kind of work, each number drawn."""
    return _UNSET | {name: float(drawn(random, value)) for name, value in table.items() if name != "weight"}


def gathered(streams: list[tuple[int, Floats, dict[str, float]]]) -> Streams:
    """Streams out of (member, rounds a second, numbers)."""
    members, rounds, tables = zip(*streams, strict=True)
    of = {name: np.array([table[name] for table in tables]) for name in _UNSET}
    return Streams(np.array(members), np.stack(rounds, axis=1), of)


def ordinary(random: np.random.Generator, members: int, seconds: int) -> list[tuple[int, Floats, dict[str, float]]]:
    """What members do on a usual day: each a work of its own, in sessions, now more and now less; sizes differ much."""
    kinds = list(WORK["members"])
    weights = np.array([WORK["members"][each]["weight"] for each in kinds])
    found = []
    for member in range(members):
        kind = kinds[int(random.choice(len(kinds), p=weights / weights.sum()))]
        size = float(np.clip(random.lognormal(-0.4, 1.1), 0.05, 5.0))
        rounds = size * _sessions(random, seconds) * _restless(random, seconds)
        found.append((member, rounds, numbers(random, WORK["members"][kind])))
    return found


def _restless(random: np.random.Generator, seconds: int) -> Floats:
    """Level of activity: it wanders over minutes."""
    steps = random.normal(0, 0.3, seconds // _STEP_S + 2)
    level = np.exp(0.7 * lfilter([1], [1, -0.94], steps) - 0.25)
    found: Floats = np.repeat(level, _STEP_S)[:seconds]
    return found


def _sessions(random: np.random.Generator, seconds: int) -> Floats:
    """Somebody is there, or hardly anything happens."""
    found = np.full(seconds, 0.03)
    at = -int(random.uniform(0, 900))
    while at < seconds:
        end = at + int(random.lognormal(6.2, 0.8)) + 20
        found[max(at, 0) : max(end, 0)] = 1.0
        at = end + int(random.lognormal(5.8, 1.0)) + 10
    return found


def bursts(random: np.random.Generator, seconds: int) -> Floats:
    """Some of a disk now and then, which nobody counts: every machine has it."""
    found = np.full(seconds, float(random.uniform(0.0, 0.015)))
    for _ in range(int(random.integers(3, 10))):
        at, level = int(random.integers(0, seconds)), float(random.uniform(0.01, 0.1))
        found[at : at + int(random.uniform(20, 240))] += level
    return found
