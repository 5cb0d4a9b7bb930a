"""How often something is sampled that costs CPU time: by how active it is, and within a budget.

Time is cut into windows, one after the other, and each is sampled once, at a moment that chance chooses in it. What the
sample shows then stands for the whole window: over many windows that is right whatever it is that is sampled, also if
it repeats itself (a disk that completes every 33 ms), and however long each window is, as long as its length is decided
before it begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND_NS = 10**9
#: How much longer windows are where nothing happens, and the longest that there are.
IDLE, LONGEST_NS = 10, 60 * SECOND_NS
#: The cost is looked at this often.
PERIOD_NS = 10 * SECOND_NS
#: So much over its budget in so many periods one after the other, sampling is given up: it does not get cheaper.
_OVER, _PERIODS = 1.5, 6
#: Which part of the budget the pace aims at.
_AIM = 0.9
#: How much slower the pace may become at once, how much faster, and in all.
_SLOWER, _FASTER, _SLOWEST = 4.0, 0.5, 100.0


@dataclass(frozen=True, slots=True)
class Window:
    """From `begin_ns` on `length_ns`, to be sampled at `at_ns` (CLOCK_MONOTONIC)."""

    begin_ns: int
    length_ns: int
    at_ns: int

    @property
    def end_ns(self) -> int:
        """Where the next one begins, if the sample was not taken later."""
        return self.begin_ns + self.length_ns


class Pace:
    """Gives windows, and makes them longer when sampling them took more than `share` of one CPU.

    `interval_ns` is how long they are where something happens; `chance` gives a number from 0 to 1.
    """

    def __init__(self, interval_ns: int, share: float, chance: Callable[[], float], now_ns: int, cpu_ns: int) -> None:
        self.interval_ns, self._share, self._chance = interval_ns, share, chance
        self._since_ns, self._since_cpu_ns = now_ns, cpu_ns
        self._over = 0
        self.stretch = 1.0

    @property
    def given_up(self) -> bool:
        """Whether it costs too much however slow it is."""
        return self._over >= _PERIODS

    def window(self, begin_ns: int, *, active: bool) -> Window:
        """The next window of something, in which much or little is expected."""
        length = min(int(self.interval_ns * self.stretch * (1 if active else IDLE)), LONGEST_NS)
        return Window(begin_ns, length, begin_ns + int(length * self._chance()))

    def spent(self, now_ns: int, cpu_ns: int) -> None:
        """Say how much CPU time was taken by now."""
        elapsed = now_ns - self._since_ns
        if elapsed < PERIOD_NS:
            return
        used = (cpu_ns - self._since_cpu_ns) / (elapsed * self._share)
        self._since_ns, self._since_cpu_ns = now_ns, cpu_ns
        self._over = self._over + 1 if used > _OVER else 0
        # the cost is as the number of windows, so what it was over the aim is what they must become longer
        self.stretch = min(max(self.stretch * min(max(used / _AIM, _FASTER), _SLOWER), 1.0), _SLOWEST)
