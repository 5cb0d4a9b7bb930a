"""The clockwork: ticks keep their distance, signals end and reload, events come in between."""

import os
import signal
import threading
import time
from itertools import pairwise

from nasacct.collect.loop import Loop


def test_ticks_lie_on_the_grid_and_a_slow_one_drops_those_it_covered():
    """After the first, ticks fall on multiples of the interval; an overrun skips, it does not pile up."""
    seen = []

    def tick():
        seen.append(time.monotonic())
        if len(seen) == 3:
            time.sleep(0.35)  # the slow tick itself: longer than three intervals
        if len(seen) == 6:
            loop.stop()

    loop = Loop(0.1, tick)
    loop.run()
    gaps = [b - a for a, b in pairwise(seen[1:])]
    assert len(seen) == 6
    assert gaps[1] >= 0.35
    # all later ticks are whole intervals after the second one (the first may lie off the grid)
    for later in seen[2:]:
        off = (later - seen[1]) % 0.1
        assert min(off, 0.1 - off) < 0.05


def test_sigterm_ends_and_sighup_reloads():
    """A signal wakes the loop at once, however long the interval is."""
    reloaded = []

    def reload():
        reloaded.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGTERM)

    loop = Loop(3600, lambda: None, reload=reload)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGHUP))
    timer.start()
    began = time.monotonic()
    loop.run()
    timer.join()
    assert len(reloaded) == 1
    assert time.monotonic() - began < 60
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_watched_descriptor_is_served_between_ticks():
    """What becomes readable is handled long before the next tick."""
    readable, written = os.pipe()

    class Pipe:
        def fileno(self):
            return readable

    got = []

    def ready():
        got.append(os.read(readable, 10))
        loop.stop()

    loop = Loop(3600, lambda: None, Pipe(), ready)
    timer = threading.Timer(0.05, os.write, (written, b"x"))
    timer.start()
    loop.run()
    timer.join()
    os.close(readable)
    os.close(written)
    assert got == [b"x"]


def test_it_runs_for_as_long_as_it_is_told():
    """`for_s` bounds the run, with a tick at its start."""
    ticks = []
    Loop(0.2, lambda: ticks.append(1)).run(for_s=0.3)
    assert 1 <= len(ticks) <= 3
