"""The clockwork of collector and recorder: ticks on a monotonic grid, events in between, signals at any time."""

from __future__ import annotations

import contextlib
import logging
import select
import signal
import socket
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

log = logging.getLogger(__name__)


class Watched(Protocol):
    """Something with a descriptor that becomes readable when `poll` has events to give."""

    def fileno(self) -> int:
        """The descriptor to wait on."""
        ...


class Loop:
    """Calls `tick` at every multiple of the interval, `ready` when the watched descriptor is readable.

    Ticks lie on the wall clock's multiples of the interval at the start and keep their distance by CLOCK_MONOTONIC
    afterwards: a stepped clock moves none of them. A tick that took longer than the interval drops the ones it
    covered. SIGTERM and SIGINT end the loop, SIGHUP calls `reload`.
    """

    def __init__(
        self,
        interval_s: float,
        tick: Callable[[], None],
        watched: Watched | None = None,
        ready: Callable[[], None] | None = None,
        reload: Callable[[], None] | None = None,
    ) -> None:
        self.interval_s = interval_s
        self._tick, self._watched, self._ready, self._reload = tick, watched, ready, reload
        self._stop = False
        self._hup = False

    def stop(self) -> None:
        """End the loop after what is under way; for use by what the loop calls."""
        self._stop = True

    def run(self, for_s: float | None = None) -> None:
        """Run until stopped, or for so long. Must be called on the main thread (signals)."""
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        woken.setblocking(False)
        before = {s: signal.signal(s, self._signalled) for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        previous = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        try:
            self._run(woken, for_s)
        finally:
            signal.set_wakeup_fd(previous)
            wake.close()
            woken.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _run(self, woken: socket.socket, for_s: float | None) -> None:
        poller = select.poll()
        poller.register(woken.fileno(), select.POLLIN)
        if self._watched is not None:
            poller.register(self._watched.fileno(), select.POLLIN)
        start = time.monotonic()
        end = None if for_s is None else start + for_s
        due = start
        grid = start + self.interval_s - time.time() % self.interval_s
        while not self._stop:
            now = time.monotonic()
            if end is not None and now > end:
                return
            if now >= due:
                self._tick()
                now = time.monotonic()
                # the next point of the grid that is still ahead; at least a fifth of the interval away
                steps = max(0, -((grid - now - self.interval_s / 5) // self.interval_s))
                due = grid + steps * self.interval_s
                continue
            until = due if end is None else min(due, end + 0.001)
            self._handle(woken, poller.poll(max(0.0, until - now) * 1000))

    def _handle(self, woken: socket.socket, found: Iterable[tuple[int, int]]) -> None:
        for fd, _ in found:
            if fd == woken.fileno():
                with contextlib.suppress(BlockingIOError):
                    woken.recv(4096)
            elif self._ready is not None:
                self._ready()
        if self._hup:
            self._hup = False
            if self._reload is not None:
                self._reload()

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._hup = True
        else:
            log.info("signal %s: ending", signal.Signals(number).name)
            self._stop = True
