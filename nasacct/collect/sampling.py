"""Sampling: one thread asks server after server for its calls in flight, each at its own pace.

`step` is that thread's. All else may be called on any thread, what says so only while `lock` is held; nobody holds it
while the kernel is asked, which may take seconds.
"""

from __future__ import annotations

import errno
import heapq
import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nasacct.collect.operation import operation
from nasacct.collect.pace import SECOND_NS
from nasacct.collect.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nasacct.collect.machine import Machine, Server
    from nasacct.collect.pace import Pace, Window
    from nasacct.collect.rpc_status import Call, RpcStatus
    from nasacct.collect.waiting import Who

#: How often a server's threads are counted.
_THREADS_NS = 60 * SECOND_NS
#: Pause after a failure, twice as long after each further one, so many times: who starts has no nfsd at first.
_PAUSE_NS, _DOUBLED = SECOND_NS, 6
#: How late a sample may come, in parts of its window, for the window to become longer: a busy machine, and no stall.
_LATE = 0.5
#: What is due so soon, in parts of the shortest window, is sampled at once: to wake up takes longer than to ask.
_SOON = 0.05


@dataclass(slots=True, eq=False)
class Sampled:
    """One server: its sums, and whether its link `moves`. `trouble` is why it cannot be sampled now.

    `met_ns` is when it began to be sampled.
    """

    server: Server
    met_ns: int
    moves: bool = True
    waiting: Waiting = field(default_factory=Waiting)
    trouble: str = ""
    _status: RpcStatus | None = None
    _threads: int | None = None
    _counted_ns: int | None = None
    _failures: int = 0

    def ask(self, machine: Machine, now_ns: int) -> Counter[Who] | None:
        """The calls in flight by who they are of; None when they cannot be known, and `trouble` says why."""
        try:
            if self._status is None:
                self._status = machine.calls_in_flight(self.server)
            seen = who(self._status.calls())
            if self._counted_ns is None or now_ns - self._counted_ns > _THREADS_NS:
                self._threads, self._counted_ns = _threads(self._status), now_ns
        except OSError as error:
            self.close()
            self._failures += 1
            # where no nfsd is up, none has calls
            self.trouble = "" if error.errno == errno.ENODEV else error.strerror or str(error)
            return None
        self.trouble, self._failures = "", 0
        return seen

    def close(self) -> None:
        """Let the namespace go. Only by the sampling thread, or while that does not ask this server."""
        if self._status is not None:
            self._status.close()
        self._status = self._counted_ns = None

    def took(self, window: Window, seen: Counter[Who] | None, now_ns: int, pace: Pace) -> Window:
        """Account for a sample of the window, taken just now; the next window."""
        if seen is None:
            return pace.window(now_ns + (_PAUSE_NS << min(self._failures - 1, _DOUBLED)), active=False)
        late_ns = now_ns - window.end_ns
        if 0 < late_ns <= window.length_ns * _LATE:
            window = replace(window, length_ns=now_ns - window.begin_ns)
        self.waiting.sampled(window, seen, self._threads)
        # who was held up for longer has gaps between its windows, which are in no sum
        return pace.window(max(window.end_ns, now_ns), active=self.moves or bool(seen))


class Sampling:
    """The servers that are sampled. `clock` is CLOCK_MONOTONIC, `cpu` the thread's CPU time, both in ns.

    `cpu_ns` is how much of that the steps so far have taken.
    """

    def __init__(
        self,
        pace: Pace,
        clock: Callable[[], int] = time.monotonic_ns,
        cpu: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        self.lock = threading.Lock()
        self.known: dict[str, Sampled] = {}
        self.cpu_ns = 0
        self.clock = clock
        self._pace, self._cpu = pace, cpu
        self._machine: Machine | None = None
        self._due: list[tuple[int, int, Sampled, Window]] = []
        self._order = itertools.count()
        self._asked: Sampled | None = None

    @property
    def given_up(self) -> bool:
        """Whether it costs too much, however rarely it is done."""
        return self._pace.given_up

    def meet(self, machine: Machine, server: Server) -> Sampled:
        """Sample this server from now on, too. With the lock."""
        self._machine = machine
        one = self.known[server.epoch] = Sampled(server, self.clock())
        # not all of many at once: as if nothing happened there
        self._plan(one, self._pace.window(one.met_ns, active=False))
        return one

    def leave(self, epoch: str) -> Sampled | None:
        """Sample this server no more, and let its namespace go; what it was, if it was any. With the lock."""
        one = self.known.pop(epoch, None)
        if one is not None:
            if one is not self._asked:
                one.close()
            one.waiting.settle(self.clock(), ended=True)
        return one

    def settle(self) -> None:
        """Add up all windows that are over. With the lock."""
        now_ns = self.clock()
        for one in self.known.values():
            one.waiting.settle(now_ns)

    def step(self) -> float | None:
        """Sample all that are due; how many seconds there are until the next one is. None: there is none."""
        began, soon_s = self._cpu(), _SOON * self._pace.interval_ns / SECOND_NS
        try:
            while True:
                with self.lock:
                    wait_s = self._wait_s()
                    if wait_s is None or wait_s > soon_s or self.given_up:
                        return wait_s
                    _, _, one, window = heapq.heappop(self._due)
                    if not self._lives(one):
                        continue
                    self._asked, machine = one, self._machine
                assert machine is not None
                try:
                    seen = one.ask(machine, self.clock())
                except BaseException:
                    # a fault of ours must not keep a namespace alive
                    one.close()
                    raise
                with self.lock:
                    self._asked = None
                    now_ns = self.clock()
                    if not self._lives(one):
                        # it ended meanwhile
                        one.close()
                        continue
                    self._plan(one, one.took(window, seen, now_ns, self._pace))
                    self._pace.spent(now_ns, self._cpu())
        finally:
            self.cpu_ns += self._cpu() - began

    def _lives(self, one: Sampled) -> bool:
        """Whether it is still to be sampled."""
        return self.known.get(one.server.epoch) is one

    def _wait_s(self) -> float | None:
        return (self._due[0][0] - self.clock()) / SECOND_NS if self._due else None

    def _plan(self, one: Sampled, window: Window) -> None:
        heapq.heappush(self._due, (window.at_ns, next(self._order), one, window))


def who(calls: Iterable[Call]) -> Counter[Who]:
    """How many calls each client has in flight of each operation."""
    found: Counter[Who] = Counter()
    for call, number in Counter(calls).items():
        found[call.client, operation(call.program, call.version, call.procedure, call.ops)] += number
    return found


def _threads(status: RpcStatus) -> int | None:
    """How many threads there are; None where the kernel does not say."""
    try:
        return status.threads()
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return None
