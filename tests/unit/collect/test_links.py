"""The source `links`: whose bytes they are, since when, and until when, over a host whose links the test sets."""

import dataclasses

import numpy as np
import pytest

from nasacct.collect.events import LinkEnded
from nasacct.collect.links import Links
from nasacct.collect.machine import LinkCounters, Listing, Server
from nasacct.collect.sampler import Sampler
from nasacct.store.frame import ABSENT, Instant
from nasacct.store.schema import LINKS
from nasacct.store.standing import Standing

SECOND = 1_000_000_000
#: Host's view: rx_bytes tx_bytes rx_packets tx_packets rx_dropped tx_dropped rx_errors tx_errors.
HOST = (1, 2, 3, 4, 5, 6, 7, 8)
#: The same as the server at the other end sees it.
SERVER = [2, 1, 4, 3, 6, 5, 8, 7]
NOBODY = Listing(())


class Host:
    """A machine with a clock, interfaces ifindex -> (name, counters), and hardware behind some of them."""

    node, boot_id, kernel = "n", "boot", ""

    def __init__(self):
        self.ns = 1_000 * SECOND
        self.world = {}
        self.hardware, self.bonds = {"eth0"}, set()
        self.complete = True

    def now(self):
        return Instant(self.ns, self.ns)

    def links(self):
        values = np.array([v for _, v in self.world.values()], np.int64).reshape(-1, 8)
        epochs = [f"boot/if{i}" for i in self.world]
        return LinkCounters(self.now(), [n for n, _ in self.world.values()], epochs, values, self.complete)

    def file(self, path):
        name = path.split("/")[3]
        if name not in (self.bonds if path.endswith("/bonding/mode") else self.hardware):
            raise FileNotFoundError(path)
        return b"DRIVER=x\n"


class Run:
    """The source under a real sampler; each cycle is ten seconds after the last."""

    def __init__(self, *uplinks, standing=None):
        self.host = Host()
        self.sampler = Sampler(self.host, standing or Standing(), self._build)
        self.uplinks = uplinks
        self.frame = None

    def _build(self, admit):
        self.source = Links(admit)
        return [self.source]

    def cycle(self, *servers):
        """Read once; gives the rows as {(server, link): values}."""
        self.host.ns += 10 * SECOND
        self.frame = self.sampler.cycle(Listing(servers))
        self.batch = self.frame.batches[0]
        return self.rows(self.batch)

    def rows(self, batch):
        known = {s.sid: s for s in self.subjects()}
        rows = batch.rows.get("links")
        if rows is None:
            return {}
        keys = [tuple(known[sid].keys.values()) for sid in rows.sids.tolist()]
        return dict(zip(keys, rows.values.tolist(), strict=True))

    def subjects(self):
        self.all = {**getattr(self, "all", {}), **{s.sid: s for s in self.frame.births}}
        return self.all.values()

    def end(self, ifindex, name, counters=HOST):
        """The link's end is told, as the watch tells it."""
        self.host.world.pop(ifindex, None)
        event = LinkEnded(ifindex, name, None, counters, self.host.now())
        self.frame = self.sampler.finals([self.source.final(self.host, event)])
        return self.frame.batches[0] if self.frame else None


@pytest.fixture
def run():
    run = Run()
    yield run
    run.sampler.end()


def server(name, link=None, **about):
    return Server(name, f"boot/{name}", link=link or f"nfs-{name}", about=about)


def after(run, name):
    """The moment from which the server's link counts, in seconds; None: its first reading is a baseline."""
    (subject,) = [s for s in run.subjects() if s.keys["server"] == name]
    return None if subject.after is None else subject.after // SECOND


def test_a_servers_link_is_read_from_the_servers_side(run):
    """What the host sent, the server received: bytes, packets, dropped and errors."""
    run.host.world[7] = ("nfs-1", HOST)
    assert run.cycle(server("1")) == {("1", "nfs-1"): SERVER}


def test_the_turned_columns_are_those_of_the_schema():
    """The order of SERVER above is what schema and machine agree on."""
    columns = "rx_bytes tx_bytes rx_packets tx_packets rx_dropped tx_dropped rx_errors tx_errors".split()
    host = dict(zip(columns, HOST, strict=True))
    of = {"received": "tx", "sent": "rx"}
    expected = [host[f"{of[way]}_{what}"] for way, what in (m.name.split("_") for m in LINKS.measures)]
    assert expected == SERVER


def test_an_uplink_is_the_hosts_own_view_and_nobodys(run):
    """An interface with hardware behind it; others are listed, but give no rows."""
    run.host.world |= {1: ("lo", HOST), 2: ("eth0", HOST), 3: ("docker0", HOST)}
    assert run.cycle() == {(None, "eth0"): list(HOST)}
    assert [s.keys["link"] for s in run.batch.listed] == ["lo", "eth0", "docker0"]


def test_configured_uplinks_are_taken_instead_of_the_hardware(run):
    """A bond for example, whose members count everything once more."""
    source = Links(run.sampler.admit, ["bond0"])
    run.host.world |= {2: ("eth0", HOST), 3: ("bond0", HOST)}
    batch = source.read(run.host, NOBODY)
    sid = {s.keys["link"]: s.sid for s in batch.listed}["bond0"]
    assert batch.rows["links"].sids.tolist() == [sid]


def test_a_bond_is_an_uplink_beside_its_members(run):
    """Either may be full alone; of what is recorded so the epochs are told, of nobody's and servers' links none."""
    run.host.bonds = {"bond0"}
    run.host.world |= {1: ("lo", HOST), 2: ("eth0", HOST), 3: ("bond0", HOST), 7: ("nfs-1", HOST)}
    assert run.cycle(server("1")).keys() == {(None, "eth0"), (None, "bond0"), ("1", "nfs-1")}
    assert run.source.uplinks() == {"eth0": "boot/if2", "bond0": "boot/if3"}


def test_the_hosts_own_server_is_not_turned_round(run):
    """A configured server in the host's own namespace has no other end."""
    run.host.world |= {2: ("eth0", HOST), 3: ("bond0", HOST)}
    rows = run.cycle(server("nas", "eth0"), server("other", "bond0", in_host=1))
    assert rows == {("nas", "eth0"): list(HOST), ("other", "bond0"): list(HOST)}
    assert run.source.uplinks().keys() == {"eth0", "bond0"}


def test_only_what_changed_is_handed_out(run):
    """A cycle without rows is one in which nothing moved, and everybody is listed all the same."""
    run.host.world |= {7: ("nfs-1", HOST), 8: ("nfs-2", HOST)}
    run.cycle(server("1"), server("2"))
    assert run.cycle(server("1"), server("2")) == {}
    assert len(run.batch.listed) == 2
    run.host.world[8] = ("nfs-2", (1, 2, 3, 4, 5, 6, 7, 9))
    assert run.cycle(server("1"), server("2")) == {("2", "nfs-2"): [2, 1, 4, 3, 6, 5, 9, 7]}


def test_the_order_of_the_dump_does_not_matter(run):
    """Links are told apart by their epochs, wherever they stand."""
    run.host.world |= {7: ("nfs-1", HOST), 8: ("nfs-2", tuple(SERVER))}
    run.cycle(server("1"), server("2"))
    run.host.world = {8: ("nfs-2", tuple(SERVER)), 5: ("lo", HOST), 7: ("nfs-1", HOST)}
    assert run.cycle(server("1"), server("2")) == {}


def test_a_link_born_between_two_dumps_counts_from_the_earlier_one(run):
    """The sampler knows when it was not there."""
    run.cycle()
    run.host.world[7] = ("nfs-1", HOST)
    run.cycle(server("1"))
    assert after(run, "1") == 1010


def test_a_link_given_to_its_server_later_keeps_its_true_birth(run):
    """It came after the first dump and was nobody's in the second: it counts from the first one on."""
    run.cycle()
    run.host.world[7] = ("nfs-1", HOST)
    assert run.cycle() == {}
    assert run.cycle(server("1")) == {("1", "nfs-1"): SERVER}
    assert after(run, "1") == 1010


def test_a_link_older_than_the_collector_is_a_baseline_however_late_it_is_given(run):
    """What it had counted before anybody looked is nobody's usage."""
    run.host.world[7] = ("nfs-1", HOST)
    run.cycle()
    run.cycle()
    run.cycle(server("1"))
    assert after(run, "1") is None


def test_a_link_stays_with_whom_it_was_given_to(run):
    """A name that moves to another server, or to none, changes nothing for the life of the link."""
    run.host.world[7] = ("nfs-1", HOST)
    run.cycle(server("1"))
    run.host.world[7] = ("nfs-1", (9, 2, 3, 4, 5, 6, 7, 8))
    assert list(run.cycle(server("2", "nfs-1"))) == [("1", "nfs-1")]
    run.host.world[7] = ("nfs-1", (10, 2, 3, 4, 5, 6, 7, 8))
    assert list(run.cycle()) == [("1", "nfs-1")]


def test_a_new_life_of_the_same_name_is_another_subject(run):
    """The server was started again: the interface has another number, and begins at zero."""
    run.host.world[7] = ("nfs-1", HOST)
    run.cycle(server("1"))
    run.end(7, "nfs-1")
    run.host.world[9] = ("nfs-1", (0,) * 8)
    assert run.cycle(server("1")) == {("1", "nfs-1"): [0] * 8}
    assert [s.epoch for s in run.batch.listed] == ["boot/if9"]
    assert [s.after for s in run.subjects()] == [None, 1010 * SECOND]


def test_a_server_without_its_interface_is_told_of(run):
    """In the batch's note, for the health row and the log; the others are read."""
    run.host.world[7] = ("nfs-1", HOST)
    assert list(run.cycle(server("1"), server("2"))) == [("1", "nfs-1")]
    assert run.batch.note == "no such interface: nfs-2 of 2"


def test_the_last_counters_are_a_final_row_of_the_server(run):
    """Both directions, when both ends' last messages were heard."""
    run.host.world[7] = ("nfs-1", (0,) * 8)
    run.cycle(server("1"))
    batch = run.end(7, "nfs-1")
    assert run.rows(batch) == {("1", "nfs-1"): SERVER}
    assert batch.rows["links"].final
    assert [s.epoch for s in batch.ended] == ["boot/if7"]
    assert run.cycle(server("1")) == {}
    assert run.batch.listed == []


def test_what_only_the_other_end_knew_is_absent_in_the_last_row(run):
    """The host's end alone knows what the server received, not what it sent."""
    run.host.world[7] = ("nfs-1", (0,) * 8)
    run.cycle(server("1"))
    batch = run.end(7, "nfs-1", (ABSENT, 2, ABSENT, 4, 5, 6, 7, 8))
    assert run.rows(batch) == {("1", "nfs-1"): [2, ABSENT, 4, ABSENT, 6, 5, 8, 7]}


def test_an_end_without_counters_ends_without_a_row(run):
    """It was noticed too late: the ledger gives such an end its bound."""
    run.host.world[7] = ("nfs-1", HOST)
    run.cycle(server("1"))
    batch = run.end(7, "nfs-1", None)
    assert (batch.rows, len(batch.ended)) == ({}, 1)


def test_a_link_gone_from_the_dump_is_waited_for_one_cycle(run):
    """The message of its end may be on its way; only a second dump without it says that there is none."""
    run.host.world[7] = ("nfs-1", HOST)
    run.cycle(server("1"))
    del run.host.world[7]
    run.cycle(server("1"))
    (subject,) = run.batch.listed
    assert run.batch.failed == {subject: "it is gone; its last counters are awaited"}
    assert run.batch.ended == []
    batch = run.end(7, "nfs-1")
    assert run.rows(batch) == {("1", "nfs-1"): SERVER}
    run.cycle(server("1"))
    assert (run.batch.listed, run.batch.ended) == ([], [])


def test_a_link_gone_without_a_word_ends_in_the_second_dump(run):
    """Without a final row."""
    run.host.world[7] = ("nfs-1", HOST)
    run.cycle(server("1"))
    del run.host.world[7]
    run.cycle(server("1"))
    run.cycle(server("1"))
    assert (run.batch.listed, [s.epoch for s in run.batch.ended]) == ([], ["boot/if7"])


def test_a_disturbed_dump_ends_nobody(run):
    """A link may be missing from it that is there."""
    run.host.world |= {7: ("nfs-1", HOST), 8: ("nfs-2", HOST)}
    run.cycle(server("1"), server("2"))
    world, run.host.world, run.host.complete = run.host.world, {8: ("nfs-2", tuple(SERVER))}, False
    for _ in range(3):
        run.cycle(server("1"), server("2"))
        assert (len(run.batch.listed), run.batch.ended, run.batch.complete) == (2, [], False)
    run.host.world, run.host.complete = world, True
    assert list(run.cycle(server("1"), server("2"))) == [("1", "nfs-1"), ("2", "nfs-2")]
    assert run.batch.failed == {}


def test_a_dump_from_before_the_end_brings_nobody_back(run):
    """Sources read on threads of their own: the dump may be older than the message of the end."""
    run.host.world[7] = ("nfs-1", HOST)
    run.cycle(server("1"))
    run.end(7, "nfs-1")
    run.host.world[7] = ("nfs-1", (9,) * 8)
    assert run.cycle(server("1")) == {}
    assert run.batch.listed == []


def test_a_life_between_two_dumps_is_counted_whole(run):
    """Born and gone with nobody looking: its last message has it all, from zero."""
    run.cycle(server("1"))
    batch = run.end(7, "nfs-1")
    assert run.rows(batch) == {("1", "nfs-1"): SERVER}
    assert after(run, "1") == 1010


def test_the_end_of_a_stranger_is_nothing(run):
    """Neither known from a dump nor any server's."""
    run.cycle(server("1"))
    assert run.end(9, "veth77") is None


@pytest.mark.parametrize("cycles", [1, 2])
def test_the_link_of_a_server_that_no_cycle_saw_is_the_servers_in_the_end(run, cycles):
    """The server was listed only after the dump, and gone before the next one; its link was in the dump or not."""
    run.cycle()
    run.host.world[7] = ("nfs-1", (0,) * 8)
    if cycles == 2:
        run.cycle()
    run.source.owner(server("1"))
    assert run.rows(run.end(7, "nfs-1")) == {("1", "nfs-1"): SERVER}
    assert after(run, "1") == 1010


@pytest.mark.parametrize(("link", "who", "expected"), [("nfs-1", "1", (100, 50)), ("eth0", None, (50, 100))])
def test_a_recorded_end_has_bytes_only(run, link, who, expected):
    """Recordings keep the server's view of an end; an uplink has none and is turned back."""
    run.host.world[7] = (link, (0,) * 8)
    run.cycle(server("1"))
    event = LinkEnded(7, link, None, (50, 100, 3, 4, 5, 6, 7, 8), run.host.now())
    row = event.recorded("boot")
    batch = run.source.final_bytes(event.at, row["epoch"], row["received_bytes"], row["sent_bytes"])
    assert run.rows(batch) == {(who, link): [*expected, *[ABSENT] * 6]}


def test_unknown_bytes_are_recorded_as_none():
    """Never as -1 and never as 0."""
    event = LinkEnded(7, "nfs-1", None, None, Instant(0, 0))
    assert event.recorded("b") == {"epoch": "b/if7", "link": "nfs-1", "received_bytes": None, "sent_bytes": None}
    event = dataclasses.replace(event, counters=(ABSENT, 100, *[0] * 6))
    assert (event.recorded("b")["received_bytes"], event.recorded("b")["sent_bytes"]) == (100, None)


def test_a_renamed_link_goes_on(run):
    """The name is for people and for finding the server; the counters are the same."""
    run.host.world[7] = ("veth1234", HOST)
    run.cycle(server("1"))
    run.host.world[7] = ("nfs-1", HOST)
    assert run.cycle(server("1")) == {("1", "nfs-1"): SERVER}
    run.host.world[7] = ("other", tuple(SERVER))
    assert run.cycle(server("1")) == {("1", "nfs-1"): list(HOST)}
