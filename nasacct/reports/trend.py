"""Trend: in how many days nothing is left, from what was left on days before, and how sure that is.

What is left goes up and down, and days resemble the days before them: somebody writes backups for a week, and deletes
them. So the time that is known is cut into five parts, each longer than such a habit as far as there is time for it,
and the parts are taken for independent draws of what a part takes away: batch means, of which Student's t tells how
far off their mean may be (Law, Simulation Modeling and Analysis, 9.5.3). From there what is left goes on as a random
walk of that drift and spread, whose first passage through zero has the inverse Gaussian distribution.

Of made-up histories of 30 days and more, 0.8 to 0.99 of the days lay between `low` and `high`, where 0.90 should: less
of what comes seldom and much at a time, more of what is steady (tests/unit/reports/test_trend.py).

What comes of it is a prediction, not of the drift but of the day: half of the days like this one come before `likely`,
one in twenty before `low`, and one in twenty after `high`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Into so many parts the time is cut; with fewer than so many days nothing is said.
PARTS, LEAST_DAYS = 5, 10
#: What is further away is not foreseen.
HORIZON_DAYS = 3650
_QUANTILES = (0.05, 0.5, 0.95)
_DRAWS = 4000
_SEED = 1


class Days(NamedTuple):
    """In how many days nothing is left; None: not within HORIZON_DAYS."""

    low: float | None
    likely: float | None
    high: float | None


def until_nothing(days: Sequence[int], left: Sequence[float], now: float) -> Days | None:
    """From what was left on days (ascending, by any number), and is `now`; None where too few days are known."""
    if len(days) < LEAST_DAYS:
        return None
    if now <= 0:
        return Days(0, 0, 0)
    edges = np.linspace(days[0], days[-1], PARTS + 1)
    takes = -np.diff(np.interp(edges, days, left)) / now
    length = (days[-1] - days[0]) / PARTS
    chance = _draws()
    spread = takes.std(ddof=1) * np.sqrt((PARTS - 1) / chance.squares)
    drift = takes.mean() + spread * chance.normal / np.sqrt(PARTS)
    passages = np.sort(_passages(drift / length, spread / np.sqrt(length), chance))
    found = (float(passages[int(q * len(passages))]) for q in _QUANTILES)
    return Days(*(each if each <= HORIZON_DAYS else None for each in found))


class _Draws(NamedTuple):
    """Random numbers, the same each time: so are the answers."""

    squares: NDArray[np.float64]
    normal: NDArray[np.float64]
    walk: NDArray[np.float64]
    side: NDArray[np.float64]
    ever: NDArray[np.float64]


@cache
def _draws() -> _Draws:
    random = np.random.default_rng(_SEED)
    normal, walk = random.standard_normal((2, _DRAWS))
    return _Draws(random.chisquare(PARTS - 1, _DRAWS), normal, walk, *random.random((2, _DRAWS)))


def _passages(drift: NDArray[np.float64], spread: NDArray[np.float64], chance: _Draws) -> NDArray[np.float64]:
    """When walks that begin at 1 and lose `drift` a day, with that `spread`, come to 0; infinity: never.

    By the method of Michael, Schucany and Haas (The American Statistician 30, 1976), in a form that does not cancel.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        mean = 1 / np.abs(drift)
        off = mean * (spread * chance.walk) ** 2 / 2
        first = mean / (1 + off + np.sqrt(2 * off + off * off))
        found = np.where(chance.side * (mean + first) <= mean, first, mean * (mean / first))
        never = (drift <= 0) & (chance.ever >= np.exp(2 * drift / (spread * spread)))
    return np.where(never | ~np.isfinite(found), np.inf, found)
