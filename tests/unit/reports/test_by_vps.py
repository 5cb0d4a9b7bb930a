"""Usage by VPS: what its addresses moved while they were its own, and what is nobody's stays in the sums."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journals import Recorder

from nasacct.reports.usage import ask
from nasacct.reports.usage_rows import usage
from nasacct.store import inventory
from nasacct.store.inventory import EVER, Statement
from nasacct.store.warehouse import Warehouse

BEGAN = datetime(2026, 11, 23, 10, tzinfo=UTC)
ADDRESSES = {"id1": "192.0.2.1", "id2": "192.0.2.2", "id3": "2001:db8::3"}
MEASURES = ("received_bytes", "sent_bytes")
CYCLES = 20


def recorded(where, node="nas1"):
    """A server whose three clients each move something in every cycle of 10 s."""
    recorder = Recorder(where, node, start=BEGAN.isoformat(), interval_s=10)
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


def thing(kind, id_, at, **said):
    return Statement(kind, id_, at, said, 1_796_000_000)


def told(store, **asked):
    return {name(row): row["received_bytes"] for row in usage(store, "vps", **asked)}


def name(row):
    """What a row is about: vps N, shared, an address, None."""
    return f"vps {row['vps']}" if row["vps"] else row["kind"] if row["kind"] == "shared" else row["address"]


@pytest.fixture
def store(tmp_path):
    recorded(tmp_path)
    return tmp_path


def test_addresses_are_their_vpses(store):
    """Of prefixes the longest; a hypervisor's own is shared, and one that nobody is known of is itself."""
    inventory.tell(store, [address("192.0.2.0/24", "21"), address("192.0.2.2/32", "")])
    assert told(store) == {"vps 21": 20_000, "shared": 40_000, "2001:db8::3": 60_000, None: 20_000}


def test_a_vps_is_one_row_wherever_it_moved_something(store):
    """So is an address that nobody is known of; what is no client's is each node's."""
    recorded(store, "nas2")
    inventory.tell(store, [address("192.0.2.1/32", "21"), address("192.0.2.2/32", "21")])
    rows = [(row["node"], name(row), row["received_bytes"]) for row in usage(store, "vps")]
    one = 1000 * CYCLES
    assert rows == [
        ("nas1, nas2", "vps 21", 2 * 3 * one),
        ("nas1, nas2", "2001:db8::3", 2 * 3 * one),
        ("nas1", None, one),
        ("nas2", None, one),
    ]


def test_an_address_that_moves_is_each_ones_part(store):
    """At an edge of usage, to the byte."""
    inventory.tell(store, [address("192.0.2.1/32", "21"), address("192.0.2.1/32", "22", us(50)), address("::/0", "6")])
    inventory.tell(store, [address("192.0.2.1/32", None, us(150)), address("192.0.2.0/30", "23")])
    found = {name(row): row for row in usage(store, "vps")}
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


def test_owner_and_consumer_are_told_apart(store):
    """A client that uses an export of somebody else, with the names of both; what is nobody's has neither."""
    inventory.tell(store, [address("192.0.2.1/32", "21"), thing("vps", "21", us(50), member="1001", name="web")])
    inventory.tell(store, [thing("export", "a", us(0), server="a", member="1002"), address("192.0.2.2/32", "")])
    inventory.tell(store, [thing("member", "1001", EVER[0], name="one"), thing("member", "1002", EVER[0], name="two")])
    rows = usage(store, "client")
    assert [
        (r["client"], r["kind"], r["vps"], r["consumer"], r["consumer_name"], r["owner_name"], r["received_bytes"])
        for r in rows
    ] == [
        ("192.0.2.1", "vps", "21", "1001", "one", "two", 15_000),
        ("192.0.2.1", "vps", "21", None, None, "two", 5_000),
        ("192.0.2.2", "shared", None, None, None, "two", 40_000),
        ("2001:db8::3", "address", None, None, None, "two", 60_000),
        (None, None, None, None, None, None, 20_000),
    ]
    rows = usage(store, "vps")
    assert [(r["vps"], r["vps_name"], r["address"], r["consumer"], r["owner"]) for r in rows] == [
        ("21", "web", None, "1001", "1002"),
        ("21", "web", None, None, "1002"),
        (None, None, None, None, "1002"),
        (None, None, "2001:db8::3", None, "1002"),
        (None, None, None, None, None),
    ]


MOMENTS = st.floats(-20, CYCLES * 10 + 20)
MEMBERS = st.sampled_from(["1001", "1002"])
CHANGES = st.lists(
    st.one_of(
        st.builds(
            lambda prefix, at, vps: address(prefix, vps, us(at)),
            st.sampled_from(["192.0.2.1/32", "192.0.2.0/30", "::/0"]),
            MOMENTS,
            st.sampled_from(["1", "2", "", None]),
        ),
        st.builds(
            lambda vps, at, member: thing("vps", vps, us(at), member=member), st.sampled_from("12"), MOMENTS, MEMBERS
        ),
        st.builds(lambda at, member: thing("export", "a", us(at), server="a", member=member), MOMENTS, MEMBERS),
        st.builds(lambda at: thing("member", "1001", us(at), into="1002"), MOMENTS),
    ),
    max_size=5,
)


@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
@given(statements=CHANGES, span=st.tuples(st.none() | MOMENTS, st.none() | MOMENTS))
def test_sums_are_those_of_clients_whenever_something_changes_hands(some, statements, span):
    """To the byte, whether an address, its VPS, the export or a member does; no two rows are about the same."""
    since, until = (None if at is None else BEGAN + timedelta(seconds=round(at, 6)) for at in span)
    if since and until and since >= until:
        return
    (some / inventory.FILE).unlink(missing_ok=True)
    inventory.tell(some, statements)
    found = ask(Warehouse(some), "client", since, until).to_pylist()
    sums = [[sum(row[m] or 0 for row in found if row["who"]) for m in MEASURES]]
    for by in ("vps", "client"):
        rows = [row for row in usage(some, by, since, until) if row["kind"]]
        sums.append([sum(row[m] or 0 for row in rows) for m in MEASURES])
        keys = [tuple(row.get(k) for k in ("client", "kind", "vps", "address", "consumer", "owner")) for row in rows]
        assert len(keys) == len(set(keys))
    assert sums[0] == sums[1] == sums[2]
