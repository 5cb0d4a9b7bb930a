"""The source `clients`: every byte of every connection is its client's, whenever it came and went."""

import contextlib
import os
import socket
import struct
from collections import Counter
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasacct.collect import clients
from nasacct.collect.client_ids import ClientIds, make_key
from nasacct.collect.clients import Clients
from nasacct.collect.connections import Connection
from nasacct.collect.machine import LinkCounters, Listing, Server
from nasacct.collect.sampler import Sampler
from nasacct.errors import NasacctError
from nasacct.store.frame import Instant
from nasacct.store.journal_frames import Journal, Origin
from nasacct.store.journal_readings import of_journal
from nasacct.store.ledger import Terms, account
from nasacct.store.schema import CLIENTS
from nasacct.store.standing import Standing

SECOND = 1_000_000_000
TERMS = Terms(10 * SECOND, link_bytes_s=1_000_000)


class Nas:
    """A machine with a clock and servers, whose connections the test opens, uses and closes."""

    node, boot_id, kernel = "n", "boot", ""

    def __init__(self):
        self.ns = 1_796_040_000 * SECOND
        self.servers, self.open, self.truth, self.asked = {}, {}, Counter(), Counter()
        self.links_moved, self.opens, self.dumb, self.cookies = Counter(), Counter(), set(), count(1)

    def now(self):
        return Instant(self.ns, self.ns - 1_796_000_000 * SECOND)

    def links(self):
        values = np.zeros((len(self.servers), 8), np.int64)
        values[:, 0] = [self.links_moved[name] for name in self.servers]
        return LinkCounters([s.link for s in self.servers.values()], ["e"] * len(self.servers), values)

    def connections(self, server):
        if server.name in self.dumb:
            raise PermissionError(1, "not allowed")
        self.open[server.name] = Watching(self, server.name)
        return self.open[server.name]

    def start(self, name):
        self.servers[name] = Server(name, f"boot/{name}.{next(self.cookies)}", link=f"nfs-{name}")
        self.open.pop(name, None)
        self.live = {key: value for key, value in getattr(self, "live", {}).items() if key[0] != name}

    def connect(self, name, client):
        cookie = next(self.cookies)
        self.live[name, cookie] = (client, 0, 0)
        self.links_moved[name] += 100
        self.opens[name] += 1
        return cookie

    def move(self, name, cookie, received, sent):
        client, before, also = self.live[name, cookie]
        self.live[name, cookie] = (client, before + received, also + sent)
        self.links_moved[name] += received + sent + 100
        self.truth[name, client, "received_bytes"] += received
        self.truth[name, client, "sent_bytes"] += sent

    def disconnect(self, name, cookie, *, unheard=False):
        gone = connection(cookie, *self.live.pop((name, cookie)))
        self.links_moved[name] += 100
        if name in self.open and not unheard:
            self.open[name].tell(gone)


class Watching:
    """What the kernel would tell of one server."""

    def __init__(self, nas, name):
        self.nas, self.name, self.queue, self.lost, self.told = nas, name, [], False, False
        self.event = os.eventfd(0, os.EFD_NONBLOCK)

    def fileno(self):
        return self.event

    def opens(self):
        self.nas.asked["opens"] += 1
        return self.nas.opens[self.name]

    def tell(self, gone):
        self.queue.append(gone)
        os.eventfd_write(self.event, 1)

    def lose(self):
        self.lost = True
        os.eventfd_write(self.event, 1)

    def _live(self):
        return [connection(k[1], *v) for k, v in self.nas.live.items() if k[0] == self.name]

    def all(self):
        self.nas.asked["all"] += 1
        return self._live()

    def again(self, known):
        self.nas.asked["again"] += 1
        return next((c for c in self._live() if c.cookie == known.cookie), None)

    def ended(self):
        self.nas.asked["ended"] += 1
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.event)
        queue, self.queue, lost, self.lost = self.queue, [], self.lost, False
        return queue, lost

    @property
    def closed(self):
        return self.event < 0

    def close(self):
        os.close(self.event)
        self.event = -1


def connection(cookie, client, received, sent):
    ident = struct.pack(">HH", 2049, 700) + bytes(16) + socket.inet_aton(client) + bytes(12)
    return Connection(socket.AF_INET, ident + struct.pack("=IQ", 0, cookie), received, sent, 1)


class Run:
    """The source under a real sampler, from the first cycle on; its frames become usage as the keeper makes it."""

    def __init__(self, nas, standing=None):
        self.nas, self.frames = nas, []
        self.sampler = Sampler(nas, standing or Standing(), self._build)
        self.begun = nas.now()

    def _build(self, admit):
        self.source = Clients(admit, lambda address: f"id of {address}")
        return [self.source]

    def cycle(self, seconds=10, **listing):
        self.nas.ns += seconds * SECOND
        self._take(self.sampler.finals([self.source.ends(self.nas)]))
        self._take(self.sampler.cycle(Listing(tuple(self.nas.servers.values()), **listing)))

    def stop(self, name):
        """The server ends, and is told to have."""
        server = self.nas.servers.pop(name)
        self._take(self.sampler.finals([self.source.final(self.nas, server)]))

    def _take(self, frame):
        if frame is not None:
            self.frames.append(frame)

    def usage(self):
        """(server, client, measure) -> (certain, possible)."""
        origin = Origin("n", "boot", "run", "", "0", 10 * SECOND, TERMS.link_bytes_s)
        made = Journal("x", 1, origin, 1, self.begun, Standing(), frames=self.frames)
        found = {}
        for row in account(of_journal(made)[CLIENTS.name], "n", TERMS).to_pylist():
            assert row["epoch"].count("/") == 1
            for name in ("received_bytes", "sent_bytes"):
                key = row["server"], row["client"].removeprefix("id of "), name
                certain, possible = found.get(key, (0, 0))
                found[key] = certain + row[name], possible + row[name] + row[f"{name}_more"]
        return found

    def exact(self):
        """Whether all that was moved since the first cycle is told, to the byte."""
        told = {key: value for key, value in self.usage().items() if value != (0, 0)}
        return told == {key: (value, value) for key, value in self.nas.truth.items() if value}

    @property
    def last(self):
        return self.frames[-1].batches[0]


@pytest.fixture
def run():
    """One server that nobody uses, after the first cycle."""
    nas = Nas()
    nas.start("a")
    made = Run(nas)
    made.cycle()
    return made


def test_a_connection_that_comes_counts_from_its_beginning(run):
    """Found by the next list, with what it moved before."""
    cookie = run.nas.connect("a", "10.0.0.1")
    run.nas.move("a", cookie, 1000, 50)
    for _ in range(3):
        run.cycle()
        assert run.exact()
        run.nas.move("a", cookie, 10, 1)


def test_one_that_was_there_before_the_first_cycle_is_a_baseline():
    """A source switched on today adds no years of history."""
    nas = Nas()
    nas.start("a")
    cookie = nas.connect("a", "10.0.0.1")
    nas.move("a", cookie, 10**12, 10**9)
    nas.truth.clear()
    made = Run(nas)
    made.cycle()
    nas.move("a", cookie, 77, 7)
    made.cycle()
    assert made.exact()


def test_what_came_and_went_unseen_is_its_clients(run):
    """Each end says what it moved; all of one client's are one subject."""
    run.cycle()
    for i in range(50):
        cookie = run.nas.connect("a", f"10.0.0.{i % 2}")
        run.nas.move("a", cookie, 1000 + i, i)
        run.nas.disconnect("a", cookie)
        if i % 20 == 0:
            run.cycle()
    run.cycle()
    assert run.exact()
    assert len({s.sid for frame in run.frames for s in frame.births}) == 2


def test_ends_that_may_be_of_before_are_nobodys(run):
    """What is told before the second look at a server may have been counted by the run before."""
    nas = Nas()
    nas.start("a")
    cookie = nas.connect("a", "10.0.0.1")
    nas.move("a", cookie, 5000, 5)
    made = Run(nas)
    made.cycle()
    nas.open["a"].tell(connection(999, "10.0.0.1", 10**9, 0))
    made.cycle()
    made.cycle()
    assert all(certain < 10**6 for certain, _ in made.usage().values())


def test_of_a_server_that_is_new_every_end_counts(run):
    """Nothing can have been there before it was: also what came and went before it was looked at twice."""
    run.nas.start("b")
    run.cycle()
    short = run.nas.connect("b", "10.0.0.1")
    run.nas.move("b", short, 700, 7)
    run.nas.disconnect("b", short)
    run.cycle()
    run.cycle()
    assert run.exact()


def test_a_server_whose_link_stands_still_is_not_asked(run):
    """And its connections are unchanged, which is not the same as not read."""
    cookie = run.nas.connect("a", "10.0.0.1")
    run.nas.move("a", cookie, 10, 10)
    run.cycle(60)
    run.nas.asked.clear()
    run.cycle()
    run.cycle(60)
    assert run.nas.asked == Counter()
    assert (run.last.complete, len(run.last.listed), run.last.failed, run.last.rows) == (True, 1, {}, {})


def test_as_long_as_nobody_comes_only_known_ones_are_asked(run):
    """A full list walks the kernel's whole table; who comes is in the next one, however soon."""
    cookie = run.nas.connect("a", "10.0.0.1")
    run.cycle(60)
    run.nas.asked.clear()
    for _ in range(5):
        run.nas.move("a", cookie, 10, 10)
        run.cycle()
    assert run.nas.asked == Counter(again=5, opens=5)
    assert run.last.complete
    run.nas.move("a", run.nas.connect("a", "10.0.0.2"), 7, 7)
    run.cycle()
    assert run.nas.asked["all"] == 1
    assert run.exact()


def test_a_cycle_makes_no_more_lists_than_it_has_time_for(monkeypatch):
    """Those are listed first that have waited longest; no byte is missed, and all are known once each was listed."""
    monkeypatch.setattr(clients, "LISTS_NS", 0)
    nas = Nas()
    names = [f"server {n}" for n in range(5)]
    for name in names:
        nas.start(name)
    made = Run(nas)
    for n in range(5):
        made.cycle()
        assert nas.asked["all"] == n + 1
        assert made.last.complete == (n == 4)
    for name in names:
        cookie = nas.connect(name, "10.0.0.1")
        nas.move(name, cookie, 1000, 10)
    for n in range(6):
        nas.asked.clear()
        made.cycle()
        assert nas.asked["all"] == (n < 5)
        assert made.last.complete
    assert made.exact()
    # a look at all that is known would be too old to say who is not there
    for name in names:
        nas.connect(name, "10.0.0.2")
    made.cycle(301)
    assert not made.last.complete


def test_an_end_without_a_word_is_bounded(run):
    """When the kernel had no room for it: what it moved last is unknown, and the link bounds it."""
    cookie = run.nas.connect("a", "10.0.0.1")
    run.nas.move("a", cookie, 1000, 10)
    run.cycle(60)
    run.nas.move("a", cookie, 500, 5)
    run.nas.disconnect("a", cookie, unheard=True)
    run.nas.open["a"].lose()
    run.cycle()
    assert "ends of connections were lost" in run.last.note
    for _ in range(3):
        run.nas.links_moved["a"] += 1
        run.cycle(60)
    certain, possible = run.usage()["a", "10.0.0.1", "received_bytes"]
    assert certain == 1000
    assert possible >= 1500


def test_a_late_word_of_one_that_was_given_up_counts_nothing_twice(run):
    """The end was bounded already."""
    cookie = run.nas.connect("a", "10.0.0.1")
    run.nas.move("a", cookie, 1000, 10)
    run.cycle(60)
    run.nas.disconnect("a", cookie, unheard=True)
    for _ in range(3):
        run.nas.links_moved["a"] += 1
        run.cycle(60)
    run.nas.open["a"].tell(connection(cookie, "10.0.0.1", 1000, 10))
    run.cycle()
    assert run.usage()["a", "10.0.0.1", "received_bytes"][0] == 1000


def test_the_last_bytes_of_a_server_are_read_when_it_ends(run):
    """Of listed connections, of new ones, and of those that were never listed; then its namespace is let go."""
    first = run.nas.connect("a", "10.0.0.1")
    run.cycle(60)
    run.cycle()
    run.nas.move("a", first, 123, 4)
    run.nas.move("a", run.nas.connect("a", "10.0.0.2"), 5, 6)
    short = run.nas.connect("a", "10.0.0.3")
    run.nas.move("a", short, 7, 8)
    run.nas.disconnect("a", short)
    run.stop("a")
    assert run.exact()
    assert run.nas.open["a"].closed
    run.nas.start("a")
    run.cycle()
    assert run.exact()


def test_a_server_that_vanishes_untold_is_not_kept_alive(run):
    """Its connections end without last bytes."""
    run.nas.servers.clear()
    run.cycle()
    assert run.nas.open["a"].closed


def test_a_server_that_cannot_be_asked_is_told_and_others_go_on(run):
    """It keeps the listing from being complete."""
    run.nas.start("b")
    run.nas.dumb = {"b"}
    cookie = run.nas.connect("a", "10.0.0.1")
    run.nas.move("a", cookie, 10, 10)
    run.cycle(60)
    assert run.last.note == "b: not allowed"
    assert not run.last.complete
    run.nas.dumb.clear()
    run.nas.move("b", run.nas.connect("b", "10.0.0.9"), 3, 3)
    run.cycle(60)
    assert {key: certain for key, (certain, _) in run.usage().items()} == run.nas.truth


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("connect"), st.sampled_from("ab"), st.integers(1, 3)),
        st.tuples(st.just("move"), st.integers(0, 9), st.integers(1, 10_000)),
        st.tuples(st.just("disconnect"), st.integers(0, 9)),
        st.tuples(st.just("cycle"), st.sampled_from([10, 10, 10, 60])),
        st.tuples(st.just("restart"), st.sampled_from("ab")),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(steps=STEPS)
def test_all_bytes_are_told_whatever_happens(steps):
    """Servers are told to end, ends of connections too: then everything is exact at the end of all servers."""
    nas = Nas()
    for name in "ab":
        nas.start(name)
    made = Run(nas)
    made.cycle()
    made.cycle()
    for step in steps:
        match step:
            case "connect", name, client:
                nas.connect(name, f"10.0.0.{client}")
            case "move", which, size:
                if nas.live:
                    nas.move(*list(nas.live)[which % len(nas.live)], size, size // 3)
            case "disconnect", which:
                if nas.live:
                    nas.disconnect(*list(nas.live)[which % len(nas.live)])
            case "cycle", seconds:
                made.cycle(seconds)
            case "restart", name:
                made.stop(name)
                nas.start(name)
                # what moves before anybody looks at the new one twice is not what is asked here
                made.cycle()
                made.cycle()
    for name in list(nas.servers):
        made.stop(name)
    made.cycle()
    assert made.exact()


def test_an_address_has_one_id_on_a_node(tmp_path):
    """For ever, by the tree's key; without one, for the life of the process; and it does not say whose it is."""
    (tmp_path / "a").mkdir()
    make_key(tmp_path / "a")
    make_key(tmp_path / "a")
    assert (tmp_path / "a" / "address.key").stat().st_mode & 0o777 == 0o600
    ids = ClientIds(tmp_path / "a")
    assert ids("10.0.0.1") == ClientIds(tmp_path / "a")("10.0.0.1") != ids("10.0.0.2")
    assert len({ids("fd00::1"), ids("fd00:0::1"), ClientIds(tmp_path / "b")("fd00::1")}) == 2
    assert len(ids("10.0.0.1")) == 16
    (tmp_path / "a" / "address.key").write_bytes(b"short")
    with pytest.raises(NasacctError, match=r"address.key is no key of 32 bytes; bring it back"):
        make_key(tmp_path / "a")
