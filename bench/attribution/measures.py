"""Measures of a judgement, and what is asked of them: the gate of a release, and the goal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bench.attribution.score import Judged, Judgement

_NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Measure:
    """One number: of how many, and between which bounds it is good."""

    name: str
    value: float
    count: int  #: of what it is a part or a mean; 0: nothing of the kind happened
    gate: tuple[float, float]
    goal: tuple[float, float]
    right: int | None = None  #: of a part: how many of `count`

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of a part, between which the true one is, 95 % sure."""
        return None if self.right is None or not self.count else wilson(self.right, self.count)

    def reached(self, bounds: tuple[float, float]) -> bool:
        """Whether it is within; what never happened is."""
        return not self.count or bounds[0] <= self.value <= bounds[1]


def wilson(right: int, count: int) -> tuple[float, float]:
    """The score interval of 95 % of a part of few (Wilson, JASA 22(158), 1927)."""
    part, extra = right / count, _NORMAL_95**2 / count
    middle = (part + extra / 2) / (1 + extra)
    half = _NORMAL_95 * math.sqrt(part * (1 - part) / count + extra / (4 * count)) / (1 + extra)
    return max(0.0, middle - half), min(1.0, middle + half)


def of(found: Judgement) -> list[Measure]:
    """All of them."""
    each = found.episodes
    right, wrong, missed = (sum(getattr(one, name) for one in each) for name in ("right", "wrong", "missed"))
    nobody = [one for one in each if not one.guilty and one.found]
    recalls = [recall for _, recall in (_told(one) for one in _families(each).values()) if not math.isnan(recall)]
    errors = [one.error for one in each if one.found]
    held, sure = found.held, found.sure
    surest = [guilty for confidence, guilty in sure if confidence >= 0.9]
    most = math.inf
    return [
        _part("precision", right, right + wrong, (0.92, most), (0.98, most)),
        _part("recall", right, right + missed, (0.85, most), (0.95, most)),
        Measure("recall, mean of families", _mean(recalls), len(recalls), (0.88, most), (0.95, most)),
        _part("top cause", sum(one.top for one in each), len(each), (0.77, most), (0.95, most)),
        Measure("share, mean error", _mean(errors), len(errors), (-most, 0.14), (-most, 0.06)),
        _part("false accusation", sum(one.wrong > 0 for one in nobody), len(nobody), (-most, 0.10), (-most, 0.02)),
        _part("intervals that hold", sum(holds for holds, _ in held), len(held), (0.80, 0.97), (0.87, 0.95)),
        Measure("their width", _mean([width for _, width in held]), len(held), (-most, 0.25), (-most, 0.22)),
        Measure("calibration error", _calibration(sure), len(sure), (-most, 0.08), (-most, 0.04)),
        _part("precision from .9 on", sum(surest), len(surest), (0.95, most), (0.99, most)),
        _part("episodes found", sum(one.found for one in each), len(each), (0.95, most), (0.95, most)),
        _part("found that are", sum(found.real), len(found.real), (0.90, most), (0.90, most)),
    ]


def released(reached: list[Measure]) -> bool:
    """Whether all are within the gate."""
    return all(each.reached(each.gate) for each in reached)


def _part(name: str, right: int, count: int, gate: tuple[float, float], goal: tuple[float, float]) -> Measure:
    return Measure(name, right / count if count else math.nan, count, gate, goal, right)


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _families(episodes: list[Judged]) -> dict[str, list[Judged]]:
    found: dict[str, list[Judged]] = {}
    for each in episodes:
        found.setdefault(each.family, []).append(each)
    return dict(sorted(found.items()))


def _told(episodes: list[Judged]) -> tuple[float, float]:
    """Precision and recall."""
    right, wrong, missed = (sum(getattr(one, name) for one in episodes) for name in ("right", "wrong", "missed"))
    return (
        right / (right + wrong) if right + wrong else math.nan,
        right / (right + missed) if right + missed else math.nan,
    )


def _calibration(sure: list[tuple[float, bool]]) -> float:
    """Expected calibration error in five bins (Naeini et al., AAAI 2015)."""
    if not sure:
        return math.nan
    confidence, guilty = np.array(sure, float).T
    bins = np.searchsorted(np.arange(0, 1, 0.2)[1:], confidence, side="right")
    gaps = [abs(float((confidence - guilty)[bins == each].sum())) for each in range(5)]
    return float(sum(gaps) / len(sure))


def by_family(found: Judgement) -> str:
    """A line a family."""
    rows: list[tuple[str, ...]] = [
        ("FAMILY", "EPISODES", "GUILTY", "NAMED RIGHT", "NAMED WRONG", "TOP CAUSE", "SHARE ERROR")
    ]
    for name, each in _families(found.episodes).items():
        errors = [one.error for one in each if one.found]
        sums = [str(sum(getattr(one, what) for one in each)) for what in ("guilty", "right", "wrong")]
        top = f"{sum(one.top for one in each)} of {len(each)}"
        rows.append((name, str(len(each)), *sums, top, _number(_mean(errors))))
    return aligned(rows)


def against(reached: list[Measure]) -> str:
    """Every measure beside what a release asks, and the goal."""
    rows: list[tuple[str, ...]] = [("MEASURE", "REACHED", "95 %", "OF", "RELEASE", "", "GOAL", "")]
    for each in reached:
        verdicts = ["yes" if each.reached(bounds) else "NO" for bounds in (each.gate, each.goal)]
        rows.append((*_shown(each), _bounds(each.gate), verdicts[0], _bounds(each.goal), verdicts[1]))
    end = "the gate of a release is reached" if released(reached) else "the gate of a release is NOT reached"
    return f"{aligned(rows)}\n\n{end}"


def listed(reached: list[Measure]) -> str:
    """Every measure."""
    return aligned([("MEASURE", "REACHED", "95 %", "OF"), *(_shown(each) for each in reached)])


def beside(told: dict[str, list[Measure]]) -> str:
    """Methods beside each other: a column each measure."""
    names = [each.name for each in next(iter(told.values()))]
    head = ("", *names, "gate")
    rows = [
        (who, *(_number(each.value) for each in reached), "yes" if released(reached) else "NO")
        for who, reached in told.items()
    ]
    turned = [tuple(row[at] for row in [head, *rows]) for at in range(len(head))]
    return aligned(turned)


def _shown(each: Measure) -> tuple[str, str, str, str]:
    interval = each.interval
    return (
        each.name,
        _number(each.value),
        "" if interval is None else "{:.3f} to {:.3f}".format(*interval),
        str(each.count),
    )


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _bounds(bounds: tuple[float, float]) -> str:
    low, high = bounds
    if math.isinf(high):
        return f">= {low:.2f}"
    return f"<= {high:.2f}" if math.isinf(low) else f"{low:.2f} to {high:.2f}"


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Rows as text, their columns one below the other."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
