"""Figures of one run: medians with their spread, ratios of what was measured side by side, goals and verdicts."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Direction = Literal["<=", ">="]


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Their median."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        return f"{shown(self.median)} ({shown(min(self.values))}..{shown(max(self.values))})"

    def over(self, other: Spread) -> Spread:
        """Ratios to another's measurements: of each round's pair, as far as both were repeated as often.

        Where they were not, to the other's median.
        """
        if len(self.values) == len(other.values):
            return Spread(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))
        return Spread(tuple(a / other.median for a in self.values))


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what was measured, what came out, and the goal it is held against, if there is one."""

    what: str
    unit: str
    reached: Spread | None
    direction: Direction | None = None
    goal: float | None = None
    why_not: str = ""

    @property
    def verdict(self) -> str:
        """PASS or FAIL by the median, `not measured`, or nothing for a figure without a goal."""
        if self.reached is None:
            return "not measured"
        if self.goal is None:
            return ""
        met = self.reached.median <= self.goal if self.direction == "<=" else self.reached.median >= self.goal
        return "PASS" if met else "FAIL"

    def as_json(self) -> dict[str, Any]:
        """The figure for scripts."""
        spread = self.reached
        return {
            "what": self.what,
            "unit": self.unit,
            "median": spread and round(spread.median, 3),
            "min": spread and round(min(spread.values), 3),
            "max": spread and round(max(spread.values), 3),
            "repeats": len(spread.values) if spread else 0,
            "goal": None if self.goal is None else f"{self.direction} {shown(self.goal)}",
            "verdict": self.verdict or None,
            "why_not": self.why_not or None,
        }


def cpu_ms(nanoseconds: Sequence[float]) -> Spread:
    """Measurements in ns as ms."""
    return Spread(tuple(n / 1e6 for n in nanoseconds))


def table(figures: Sequence[Figure]) -> str:
    """The figures as text."""
    rows = [("", "goal", "reached: median (min..max)", "")]
    for figure in figures:
        goal = "" if figure.goal is None else f"{figure.direction} {shown(figure.goal)} {figure.unit}"
        reached = f"{figure.reached} {figure.unit}" if figure.reached else figure.why_not
        rows.append((figure.what, goal, reached, figure.verdict))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def shown(number: float) -> str:
    """Three digits, no more than the measurement is worth."""
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"
