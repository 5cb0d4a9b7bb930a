"""Usage by VPS: what its addresses moved while they were its own, and what is nobody's stays in the sums."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journals import Recorder

from nasacct.reports.usage_rows import usage
from nasacct.store import inventory
from nasacct.store.inventory import EVER, Statement

BEGAN = datetime(2026, 11, 23, 10, tzinfo=UTC)
ADDRESSES = {"id1": "192.0.2.1", "id2": "192.0.2.2", "id3": "2001:db8::3"}
MEASURES = ("received_bytes", "sent_bytes")
CYCLES = 20


def recorded(where):
    """A server whose three clients each move something in every cycle of 10 s."""
    recorder = Recorder(where, start=BEGAN.isoformat(), interval_s=10)
    link = recorder.thing("links", server="a", link="va")
    clients = [recorder.thing("clients", f"boot/a/{id_}", server="a", client=id_) for id_ in ADDRESSES]
    for thing in clients:
        thing.about = {"address": ADDRESSES[thing.keys["client"]]}
    for cycle in range(CYCLES + 1):
        read = {link: dict.fromkeys(MEASURES, 7000 * cycle)}
        read |= {t: dict.fromkeys(MEASURES, 1000 * (n + 1) * cycle) for n, t in enumerate(clients)}
        recorder.cycle(read)


def us(after_s):
    return int(BEGAN.timestamp() * 1_000_000) + round(after_s * 1_000_000)


def address(prefix, vps, at=EVER[0]):
    """The prefix is the VPS's from then on, '': shared, None: nobody's."""
    said = None if vps is None else {"vps": vps} if vps else {}
    return Statement("address", prefix, at, said, 1_796_000_000)


def told(store, **asked):
    return {row["vps"]: row["received_bytes"] for row in usage(store, "vps", **asked)}


@pytest.fixture
def store(tmp_path):
    recorded(tmp_path)
    return tmp_path


def test_addresses_are_their_vpses(store):
    """Of prefixes the longest; a hypervisor's own is shared, and one that nobody is known of is itself."""
    inventory.tell(store, [address("192.0.2.0/24", "21"), address("192.0.2.2/32", "")])
    assert told(store) == {"vps 21": 20_000, "shared": 40_000, "2001:db8::3": 60_000, None: 20_000}


def test_an_address_that_moves_is_each_ones_part(store):
    """At an edge of usage, to the byte."""
    inventory.tell(store, [address("192.0.2.1/32", "21"), address("192.0.2.1/32", "22", us(50)), address("::/0", "6")])
    inventory.tell(store, [address("192.0.2.1/32", None, us(150)), address("192.0.2.0/30", "23")])
    found = {row["vps"]: row for row in usage(store, "vps")}
    assert {vps: row["received_bytes"] for vps, row in found.items()} == {
        "vps 21": 5_000,
        "vps 22": 10_000,
        "vps 23": 5_000 + 40_000,
        "vps 6": 60_000,
        None: 20_000,
    }
    assert {row["quality"] for vps, row in found.items() if vps} == {"exact"}


PREFIXES = ["192.0.2.1/32", "192.0.2.0/31", "192.0.2.0/30", "192.0.2.0/24", "0.0.0.0/0", "2001:db8::3/128", "::/0"]


@pytest.fixture(scope="module")
def some(tmp_path_factory):
    """A store of which only the inventory is written anew."""
    where = tmp_path_factory.mktemp("prefixes")
    recorded(where)
    return where


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(whose=st.dictionaries(st.sampled_from(PREFIXES), st.sampled_from(["1", "2", "", None])), order=st.randoms())
def test_the_longest_prefix_counts(some, whose, order):
    """Of those that are somebody's or shared, in whichever order they were told; the shorter ones say nothing."""
    (some / inventory.FILE).unlink(missing_ok=True)
    statements = [address(prefix, vps) for prefix, vps in whose.items()]
    order.shuffle(statements)
    inventory.tell(some, statements)
    expected = {}
    for nth, client in enumerate(ADDRESSES.values(), 1):
        inside = [p for p, vps in whose.items() if vps is not None and ip_address(client) in ip_network(p)]
        longest = max(inside, key=lambda p: ip_network(p).prefixlen, default=None)
        owner = client if longest is None else f"vps {whose[longest]}" if whose[longest] else "shared"
        expected[owner] = expected.get(owner, 0) + 20_000 * nth
    found = told(some)
    del found[None]
    assert found == expected


MOMENTS = st.floats(-20, CYCLES * 10 + 20)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["192.0.2.1/32", "192.0.2.0/30", "::/0"]), MOMENTS, st.sampled_from(["1", "2", "", None])
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A store of which only the inventory is written anew."""
    where = tmp_path_factory.mktemp("vpses")
    recorded(where)
    return where


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(changes=CHANGES, span=st.tuples(st.none() | MOMENTS, st.none() | MOMENTS))
def test_sums_are_those_of_clients_whenever_something_changes_hands(shared, changes, span):
    """To the byte."""
    since, until = (None if at is None else BEGAN + timedelta(seconds=round(at, 6)) for at in span)
    if since and until and since >= until:
        return
    (shared / inventory.FILE).unlink(missing_ok=True)
    inventory.tell(shared, [address(prefix, vps, us(at)) for prefix, at, vps in changes])
    sums = [
        [sum(row[m] or 0 for row in usage(shared, by, since, until) if row[by] is not None) for m in MEASURES]
        for by in ("vps", "client")
    ]
    assert sums[0] == sums[1]
