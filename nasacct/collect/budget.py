"""How much of a processor a source may take that nothing needs: over it for minutes, it is switched off."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nasacct.store.frame import Instant

#: Over so long the share is looked at: a burst is no reason.
SPAN_NS = 300 * 10**9


class Budget:
    """CPU time spent over the last five minutes, against `share` of one processor (0..1)."""

    def __init__(self, share: float) -> None:
        self.share = share
        self._spent: deque[tuple[int, int]] = deque()
        self._sum_us = 0

    def spend(self, at: Instant, cpu_us: int) -> str:
        """Spend so much; empty, or a sentence when it is too much."""
        self._spent.append((at.boot_ns, cpu_us))
        self._sum_us += cpu_us
        while self._spent and self._spent[0][0] <= at.boot_ns - SPAN_NS:
            self._sum_us -= self._spent.popleft()[1]
        taken = self._sum_us * 1000 / SPAN_NS
        if taken <= self.share:
            return ""
        return f"off: it takes {100 * taken:.2g} % of a processor, sources.budget_percent is {100 * self.share:g}"


def affordable(interval_s: float, took_s: float, share: float) -> float:
    """How often what took so much CPU time may be done: every `interval_s`, or as half of the share allows."""
    return max(interval_s, took_s / (share / 2))
