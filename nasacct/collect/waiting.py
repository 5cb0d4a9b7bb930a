"""What samples of one server's calls in flight add up to: who waited, for what, how long.

A sample stands for the window that it was taken in. What was not sampled (another server's start stops all dumps for a
second) is in no sum: `sampled_us` says how much was.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nasacct.collect.pace import Window

#: The client's packed address (b"": not known) and the operation.
Who = tuple[bytes, str]


@dataclass(slots=True, eq=False)
class Flow:
    """One client's calls of one operation: their time in flight, in how many samples they were; when last, in ns.

    `grown`: since who hands out the sums has said that it has not.
    """

    in_flight_us: int = 0
    sampled_calls: int = 0
    last_ns: int = 0
    grown: bool = True


@dataclass(slots=True)
class Waiting:
    """The sums of one server. `flows` are those of its clients' operations.

    `full_us` is the part of `sampled_us` in which all threads were busy.
    """

    sampled_us: int = 0
    full_us: int = 0
    flows: dict[Who, Flow] = field(default_factory=dict)
    _window: Window | None = None
    _seen: Counter[Who] = field(default_factory=Counter)
    _full: bool = False

    def sampled(self, window: Window, seen: Counter[Who], threads: int | None) -> None:
        """This was in flight in that window, which follows the last one. `threads`: None where nobody knows."""
        self.settle(window.begin_ns)
        self._window, self._seen = window, seen
        self._full = bool(threads) and seen.total() >= (threads or 0)

    def settle(self, now_ns: int, *, ended: bool = False) -> None:
        """Add up the window that was sampled last if it is over by then.

        With `ended`, that is when the server ended: of a window that is not over, what there was of it.
        """
        window = self._window
        if window is None or (now_ns < window.end_ns and not ended):
            return
        end_ns = min(window.end_ns, now_ns)
        length_us = (end_ns - window.begin_ns) // 1000
        self.sampled_us += length_us
        self.full_us += length_us if self._full else 0
        for who, calls in self._seen.items():
            flow = self.flows.get(who)
            if flow is None:
                flow = self.flows[who] = Flow()
            flow.in_flight_us += calls * length_us
            flow.sampled_calls += calls
            flow.last_ns, flow.grown = end_ns, True
        self._window = None
