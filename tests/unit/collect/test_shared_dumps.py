"""The source `clients` by dumps of links that were made for others: whatever happens between a dump and its look."""

from bisect import bisect_right
from collections import defaultdict

from crowd import Nas, Run
from hypothesis import given, settings
from hypothesis import strategies as st

from nasacct.collect.machine import RECENT_NS
from nasacct.store.schema import CLIENTS

MS = 1_000_000


class Seen(Nas):
    """A machine on which everything takes its time, and that knows what each connection had moved by when."""

    def __init__(self):
        super().__init__()
        self.opened, self.history, self.shorts = {}, defaultdict(lambda: ([], [])), {}

    def connect(self, name, client):
        cookie = super().connect(name, client)
        self.opened[str(cookie)] = self.now().boot_ns
        return cookie

    def move(self, name, cookie, received, sent):
        super().move(name, cookie, received, sent)
        moments, values = self.history[str(cookie)]
        moments.append(self.now().boot_ns)
        values.append(self.live[name, cookie][1])

    def moved(self, cookie, boot_ns):
        """What it had received at that moment."""
        moments, values = self.history[cookie]
        return ([0, *values])[bisect_right(moments, boot_ns)]


class Looks(Run):
    """The source, of which every look is held against what was."""

    done_ns = 0

    def __init__(self, nas):
        self.told, self.known = {}, {}
        super().__init__(nas)

    def step(self, steps):
        """Do what may happen at any time, one thing after the other."""
        for ms, what, *more in steps:
            self.nas.ns += ms * MS
            live = list(self.nas.live)
            match what, *more:
                case "connect", name, client:
                    self.nas.connect(name, f"10.0.0.{client}")
                case "move", which, size if live:
                    self.nas.move(*live[which % len(live)], size, size // 3)
                case "disconnect", which if live:
                    self.nas.disconnect(*live[which % len(live)])
                case ("dump",):
                    self.nas.links()

    def look(self, seconds, meanwhile):
        """A cycle in which something happens after it was asked who has gone."""
        self.nas.ns += seconds * 1000 * MS
        self._take(self.sampler.finals([self.source.ends(self.nas)]))
        self.done_ns = self.nas.now().boot_ns
        self.step(meanwhile)
        self._take(self.sampler.cycle(self.listing()))
        self.held(self.last)
        self.done_ns = self.nas.now().boot_ns

    def _take(self, frame):
        super()._take(frame)
        if frame is not None:
            self.known |= {subject.sid: subject for subject in frame.births}
            for batch in frame.batches:
                for rows in batch.rows.values():
                    received = rows.values[:, CLIENTS.index["received_bytes"]]
                    self.told |= dict(zip(rows.sids.tolist(), received.tolist(), strict=True))

    def held(self, batch):
        """It is as of a moment after all looks before, and says no less than what was by then."""
        at, now = batch.at.boot_ns, self.nas.now().boot_ns
        assert max(self.done_ns, now - RECENT_NS) <= at <= now
        for subject in batch.listed:
            cookie = subject.epoch.rpartition("/")[2]
            if cookie in self.nas.opened:
                assert subject.about["absent_boot_ns"] <= self.nas.opened[cookie]
                if subject not in batch.failed:
                    assert self.nas.moved(cookie, at) <= self.told[subject.sid] <= self.nas.moved(cookie, now)


HAPPENINGS = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 30), st.just("connect"), st.sampled_from("ab"), st.integers(1, 3)),
        st.tuples(st.integers(1, 30), st.just("move"), st.integers(0, 9), st.integers(1, 10_000)),
        st.tuples(st.integers(1, 30), st.just("disconnect"), st.integers(0, 9)),
        st.tuples(st.integers(1, 30), st.just("dump")),
    ),
    max_size=5,
)
CYCLES = st.lists(st.tuples(HAPPENINGS, st.sampled_from([0, 0, 1, 10]), HAPPENINGS), max_size=8)


@settings(deadline=None)
@given(cycles=CYCLES)
def test_a_look_by_anothers_dump_is_as_exact_as_one_by_its_own(cycles):
    """Nobody is said to have stood still, or not to have been there, at a moment after the dump."""
    nas = Seen()
    for name in "ab":
        nas.start(name)
    run = Looks(nas)
    run.cycle()
    run.cycle()
    for before, seconds, meanwhile in cycles:
        run.step(before)
        run.look(seconds, meanwhile)
    for name in list(nas.servers):
        run.stop(name)
    run.cycle()
    assert run.exact()
