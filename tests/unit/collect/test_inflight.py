"""The source `inflight`: its sums become usage as the keeper makes it, whoever comes and goes."""

import errno
import random
import threading
import time
from collections import Counter
from itertools import count
from types import SimpleNamespace

import pytest
from crowd import Linked
from journals import unwritten, usage_of

from nasacct.collect import inflight
from nasacct.collect.inflight import GIVEN_UP, InFlight
from nasacct.collect.machine import Listing, Server
from nasacct.collect.operation import NFS
from nasacct.collect.pace import SECOND_NS, Pace
from nasacct.collect.rpc_status import Call
from nasacct.collect.sampler import Sampler
from nasacct.collect.sampling import Sampling
from nasacct.config.tables import Inflight
from nasacct.store.frame import Instant
from nasacct.store.ledger import Terms
from nasacct.store.schema import INFLIGHT
from nasacct.store.standing import Standing

SAFE, TERMS = "6.12.117", Terms(10 * SECOND_NS)


def call(last=1, procedure=6):
    return Call(bytes([10, 0, 0, last]), NFS, 3, procedure, ())


class Nas(Linked):
    """A machine with a clock, and servers whose calls in flight the test says."""

    node, boot_id = "n", "boot"

    def __init__(self, kernel=SAFE):
        self.kernel, self.ns, self.numbers = kernel, 1_796_040_000 * SECOND_NS, count(1)
        self.servers, self.calls, self.open, self.links_moved = {}, {}, [], Counter()

    def now(self):
        return Instant(self.ns, self.clock())

    def clock(self):
        return self.ns - 1_796_000_000 * SECOND_NS

    def received(self):
        return {server.link: self.links_moved[name] for name, server in self.servers.items()}

    def calls_in_flight(self, server):
        status = SimpleNamespace(server=server, closed=False, threads=lambda: 8)
        status.calls = lambda: self._calls(server.name)
        status.close = lambda: setattr(status, "closed", True)
        self.open.append(status)
        return status

    def _calls(self, name):
        if self.calls.get(name) is None:
            raise OSError(errno.ENODEV, "No such device")
        return self.calls[name]

    def start(self, name, *calls):
        self.servers[name] = Server(name, f"boot/{next(self.numbers)}.7", link=f"nfs-{name}")
        self.calls[name] = list(calls)


class Run:
    """The source under a real sampler; its thread is played by the test."""

    def __init__(self, nas, standing=None, cpu=lambda: 0, **settings):
        self.nas, self.frames = nas, []
        pace = Pace(SECOND_NS, 0.01, random.Random(5).random, nas.clock(), 0)
        self.sampling = Sampling(pace, nas.clock, cpu)
        self.settings = Inflight(**settings)
        self.sampler = Sampler(nas, standing or Standing(), self._build)
        self.begun = nas.now()

    def _build(self, admit):
        self.source = InFlight(admit, lambda address: f"id of {address}", self.settings, 0.01, self.sampling)
        return [self.source]

    def go(self, seconds=10, **listing):
        """So much time in cycles of 10 s."""
        for _ in range(seconds // 10):
            until = self.nas.ns + 10 * SECOND_NS
            while self.nas.ns < until:
                wait_s = self.sampling.step()
                self.nas.ns += 100_000_000 if wait_s is None else max(int(min(wait_s, 0.5) * SECOND_NS), 1_000_000)
            self._take(self.sampler.finals([self.source.ends(self.nas)]))
            self._take(self.sampler.cycle(Listing(tuple(self.nas.servers.values()), **listing)))

    def stop(self, name):
        server = self.nas.servers.pop(name)
        self._take(self.sampler.finals([self.source.final(self.nas, server)]))

    def _take(self, frame):
        if frame is not None:
            self.frames.append(frame)

    def rows(self):
        return usage_of(INFLIGHT, self.frames, self.begun, TERMS)

    def usage(self):
        """(server, client, operation) -> (seconds in flight, seconds sampled, seconds full); all of it exact."""
        found = {}
        for row in self.rows():
            key = row["server"], (row["client"] or "").removeprefix("id of "), row["operation"]
            values = [(row[m] or 0) / 1e6 for m in ("in_flight_us", "sampled_us", "full_us")]
            found[key] = [a + b for a, b in zip(found.get(key, [0, 0, 0]), values, strict=True)]
        return found

    @property
    def last(self):
        return self.frames[-1].batches[0]


@pytest.fixture
def run():
    """One server on which a client has two reads in flight, and another one a write, for five minutes."""
    nas = Nas()
    nas.start("a", call(1), call(1), call(2, procedure=7))
    made = Run(nas)
    made.go(300)
    return made


def test_time_in_flight_is_told_by_client_and_operation(run):
    """In proportion to the calls, from the first cycle on; the server says how much of the time was sampled."""
    used = run.usage()
    sampled = used["a", "", None][1]
    assert 275 < sampled < 300
    assert used["a", "10.0.0.1", "read"][0] == pytest.approx(2 * sampled)
    assert used["a", "10.0.0.2", "write"][0] == pytest.approx(sampled)
    assert set(used) == {("a", "", None), ("a", "10.0.0.1", "read"), ("a", "10.0.0.2", "write")}
    assert all(row["in_flight_us_more"] in (0, None) for row in run.rows())


def test_usage_has_the_epoch_of_the_server(run):
    """Whichever run of the collector and whichever subject it is of."""
    assert {row["epoch"] for row in run.rows()} == {run.nas.servers["a"].epoch}


def test_the_births_tell_the_address(run):
    """So the address book has it; of the server there is none."""
    told = {s.keys["client"]: s.about.get("address") for frame in run.frames for s in frame.births}
    assert told == {None: None, "id of 10.0.0.1": "10.0.0.1", "id of 10.0.0.2": "10.0.0.2"}


def test_a_cycle_holds_only_what_changed(run):
    """Clients that are idle have no rows, but are listed."""
    run.nas.calls["a"] = []
    run.go(20)
    run.go(10)
    assert len(run.last.rows["inflight"].sids) == 1
    assert len(run.last.listed) == 3
    assert run.last.complete


def test_a_server_that_ends_is_told_to_the_end(run):
    """Its last windows count, and its namespace is let go."""
    before = run.usage()["a", "10.0.0.1", "read"][0]
    run.nas.ns += 5 * SECOND_NS
    run.sampling.step()
    run.stop("a")
    assert run.usage()["a", "10.0.0.1", "read"][0] > before
    assert all(status.closed for status in run.nas.open)
    run.go(10)
    assert run.last.ended == []
    assert not any(row["in_flight_us"] is None and row["client"] for row in run.rows())


def test_a_server_whose_end_was_not_told_is_not_kept_alive(run):
    """Nobody knows what it did last."""
    del run.nas.servers["a"]
    run.go(10)
    assert all(status.closed for status in run.nas.open)
    assert len(run.last.ended) == 3
    assert any(row["in_flight_us"] is None and row["client"] for row in run.rows())


def test_a_server_that_is_listed_again_after_its_end_is_not_opened(run):
    """The listing may be older than the end."""
    server = run.nas.servers["a"]
    run.stop("a")
    opened = len(run.nas.open)
    run.nas.servers["a"] = server
    run.go(30)
    assert len(run.nas.open) == opened


def test_a_new_life_counts_from_its_beginning(run):
    """The same server's name, another epoch, other sums."""
    run.stop("a")
    run.nas.start("a", call(3))
    run.go(60)
    assert 40 < run.usage()["a", "10.0.0.3", "read"][0] < 60
    assert len({row["epoch"] for row in run.rows()}) == 2


def test_a_run_begins_at_0_and_adds_to_the_one_before():
    """What the run before had read last is no part of this one's sums."""
    nas = Nas()
    nas.start("a", call(1))
    first = Run(nas)
    first.go(100)
    told = first.usage()["a", "10.0.0.1", "read"][0]
    second = Run(nas, unwritten(first.frames, first.begun, TERMS).standing())
    second.go(100)
    assert second.usage()["a", "10.0.0.1", "read"][0] == pytest.approx(told, rel=0.15)


def test_idle_servers_are_asked_rarely_and_used_ones_often():
    """A link that moves is enough to be looked at each second."""
    nas = Nas()
    nas.start("idle")
    nas.start("used")
    made = Run(nas)
    asked = Counter()
    for name in nas.servers:
        nas.calls[name] = SimpleNamespace(__iter__=None)
    nas._calls = lambda name: asked.update([name]) or []
    for _ in range(60):
        nas.links_moved["used"] += 1
        made.go(10)
    assert asked["used"] == pytest.approx(600, rel=0.1)
    assert asked["idle"] == pytest.approx(60, rel=0.2)


def test_a_dump_of_links_from_before_a_look_is_not_used_again(run):
    """It would say that no link has moved since; one that another source has made since does."""
    for own in (True, False):
        run.go(10)
        run.nas.ns += 1
        run.nas.links_moved["a"] += 1
        if not own:
            run.nas.links()
        run.source.read(run.nas, Listing(tuple(run.nas.servers.values())))
        assert run.sampling.known[run.nas.servers["a"].epoch].moves


def test_what_nothing_is_seen_of_for_an_hour_is_forgotten(run):
    """Its sums are told to the end; it comes back as something new, and nothing is counted twice."""
    run.nas.calls["a"] = [call(1), call(1)]
    before = run.usage()["a", "10.0.0.2", "write"][0]
    run.go(3700)
    assert len(run.last.listed) == 2
    run.nas.calls["a"] = [call(1), call(1), call(2, procedure=7)]
    run.go(100)
    assert run.usage()["a", "10.0.0.2", "write"][0] == pytest.approx(before + 100, abs=12)
    assert not any(row["in_flight_us"] is None and row["client"] for row in run.rows())


def test_where_the_kernel_is_not_safe_nothing_is_asked():
    """The note says why; the cycle goes on, complete and without servers."""
    nas = Nas("6.12.95")
    nas.start("a", call(1))
    made = Sampler(nas, Standing(), lambda admit: [InFlight(admit, str, Inflight(), 0.01)])
    frame = made.cycle(Listing(tuple(nas.servers.values())))
    (batch,) = frame.batches
    assert batch.note == "off: rpc-status-get reads memory that is not its own before Linux 6.12.117"
    assert (batch.listed, batch.complete, nas.open) == ([], True, [])
    assert made.finals([made.sources[0].ends(nas), made.sources[0].final(nas, nas.servers["a"])]) is None


@pytest.mark.parametrize("kernel", [SAFE, "6.12.95"])
def test_a_thread_samples_by_itself(kernel):
    """On a safe kernel, and on another one when the configuration forces it; `close` ends it and lets go."""
    nas = Nas(kernel)
    nas.clock = time.monotonic_ns
    nas.start("a", call(1))
    settings = Inflight(force=kernel != SAFE, interval_ms=100)
    made = Sampler(nas, Standing(), lambda admit: [InFlight(admit, str, settings, 0.5)])
    deadline = time.monotonic() + 30
    batch = None
    while batch is None or len(batch.listed) < 2:
        assert time.monotonic() < deadline, "nothing was sampled"
        (batch,) = made.cycle(Listing(tuple(nas.servers.values()))).batches
        time.sleep(0.02)
    assert (batch.note, batch.complete) == ("", True)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "inflight"]
    made.sources[0].close()
    thread.join(10)
    assert not thread.is_alive()
    assert all(status.closed for status in nas.open)


def test_a_thread_that_fails_is_told_of(monkeypatch):
    """What it had summed up is read a last time; the others go on."""
    nas = Nas()
    nas.clock = time.monotonic_ns
    nas.start("a", call(1))
    monkeypatch.setattr(inflight.Sampling, "step", lambda self: 1 / 0)
    made = Sampler(nas, Standing(), lambda admit: [InFlight(admit, str, Inflight(), 0.01)])
    source = made.sources[0]
    deadline = time.monotonic() + 30
    (batch,) = made.cycle(Listing(tuple(nas.servers.values()))).batches
    while not batch.note:
        assert time.monotonic() < deadline
        made.finals([source.ends(nas)])
        (batch,) = made.cycle(Listing(tuple(nas.servers.values()))).batches
    assert "see the log" in batch.note
    assert (batch.listed, batch.ended) == ([], [])


def test_what_costs_too_much_ends_with_a_note_and_its_last_sums():
    """Nothing is unknown of the time before."""
    nas = Nas()
    nas.start("a", call(1))
    made = Run(nas, cpu=nas.clock)
    made.go(300)
    assert made.last.note == GIVEN_UP
    assert made.last.listed == []
    assert all(status.closed for status in nas.open)
    assert not any(row["in_flight_us"] is None and row["client"] for row in made.rows())


def test_servers_that_cannot_be_asked_are_in_the_note():
    """The first few of them; where no nfsd is up nothing is wrong."""
    nas = Nas()
    for number in range(7):
        nas.start(f"s{number}")
        nas.calls[f"s{number}"] = None
    made = Run(nas)
    made.go(60)
    assert made.last.note == ""

    def denied(server):
        raise PermissionError(errno.EPERM, "not allowed")

    nas.calls_in_flight = denied
    made.go(120)
    assert made.last.note == "; ".join([*(f"s{n}: not allowed" for n in range(5)), "..."])
