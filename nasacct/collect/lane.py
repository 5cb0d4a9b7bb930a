"""A lane: the thread on which one source reads, so that a source that hangs delays no other.

The sampler starts all lanes, waits for each up to its deadline, and goes on. A lane that is late keeps its thread;
what it brings in the end is taken in the cycle in which it arrives. What reading takes is measured here; what a source
spends on threads of its own, it says itself.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from nasacct.store.frame import Batch


class Lane:
    """One thread, one call at a time. `start` is only called when `idle`; `wait` gives the result once."""

    def __init__(self, name: str) -> None:
        self._wake = threading.Semaphore(0)
        self._done = threading.Event()
        self._call: Callable[[], Batch] | None = None
        self._result: Batch | BaseException | None = None
        self._busy = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=f"source-{name}", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Nothing is under way and no result waits."""
        return not self._busy

    @property
    def done(self) -> bool:
        """A result waits (or the call raised)."""
        return self._done.is_set()

    def start(self, call: Callable[[], Batch]) -> None:
        """Begin the call on the lane's thread."""
        assert not self._busy
        self._busy, self._call, self._result = True, call, None
        self._done.clear()
        self._wake.release()

    def wait(self, timeout_s: float) -> Batch | None:
        """The call's result, None when it is not there in time. Raises what the call raised."""
        if not self._done.wait(max(timeout_s, 0)):
            return None
        self._busy = False
        result, self._result = self._result, None
        if isinstance(result, BaseException):
            raise result
        return result

    def end(self) -> None:
        """Let the thread end as soon as its call returns; it is not waited for."""
        self._ended = True
        self._wake.release()

    def _run(self) -> None:
        while True:
            self._wake.acquire()
            if self._call is None or (self._ended and self._done.is_set()):
                return
            began, cpu = time.perf_counter_ns(), time.thread_time_ns()
            try:
                self._result = batch = self._call()
                batch.took_us = (time.perf_counter_ns() - began) // 1000
                batch.cpu_us += (time.thread_time_ns() - cpu) // 1000
            except Exception as err:  # noqa: BLE001  the sampler decides what a source's failure means
                self._result = err
            self._done.set()
