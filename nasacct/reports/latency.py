"""How long calls took, from how many fell into each power of two: bounds rather than a number that nobody measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def quantile_us(calls: Sequence[float], share: float) -> tuple[int, int | None] | None:
    """Between how many microseconds the call lies than which `share` of all were no slower; None without calls.

    `calls` are by bucket, the first of at most 1 us, each next one of at most twice as much; the last one has no end.
    """
    total = sum(calls)
    if total <= 0:
        return None
    sofar = 0.0
    for i, some in enumerate(calls):
        sofar += some
        if sofar >= share * total and some:
            return (0 if i == 0 else 1 << (i - 1)), (None if i == len(calls) - 1 else 1 << i)
    return 1 << (len(calls) - 2), None
