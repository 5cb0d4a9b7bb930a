"""Usage by member: each has what was theirs while it was, whenever an export changed hands."""

from datetime import UTC, datetime, timedelta

import pytest
import series
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasacct.reports.breakdown import order
from nasacct.reports.owners import ByMember
from nasacct.reports.owning import by_owner
from nasacct.reports.usage import ask
from nasacct.reports.usage_rows import usage
from nasacct.store import cuts, inventory, root
from nasacct.store.inventory import EVER, Statement
from nasacct.store.warehouse import Warehouse

BEGAN = datetime(2026, 11, 23, 10, tzinfo=UTC)
MEASURES = ("read_bytes", "written_bytes", "received_bytes", "sent_bytes", "calls")
SERIES = """
nfsd  server=a         read_bytes     0+1000x60
nfsd  server=a         written_bytes  0+7x60
nfsd  server=a         rc_nocache     0+3x60
links server=a link=va received_bytes 0+1100x60
links server=a link=va sent_bytes     0+90x60
nfsd  server=b         read_bytes     0+50x60
nfsd  server=b         written_bytes  0+0x60
nfsd  server=b         rc_nocache     0+1x60
links server=b link=vb received_bytes 0+60x60
links server=b link=vb sent_bytes     0+5x60
node other
nfsd  server=a         read_bytes     0+100000x60
"""


def us(after_s):
    return int(BEGAN.timestamp() * 1_000_000) + round(after_s * 1_000_000)


def export(server, at, member, node=None):
    said = {"server": server, "member": member} | ({"node": node} if node else {})
    return Statement("export", f"{server}{node or ''}", at, said, 1_796_000_000)


@pytest.fixture
def store(tmp_path):
    """Two servers on a node, and another node with one of the same name."""
    root.prepare(tmp_path / "store")
    series.write(SERIES, tmp_path / "store")
    return tmp_path / "store"


def told(store, **asked):
    """(node, member) -> the rows."""
    found = {}
    for row in usage(store, "member", **asked):
        found.setdefault((row["node"], row["member"]), []).append(row)
    return found


def test_an_export_is_its_members_while_it_is(store):
    """At an edge of usage both have their part to the byte; what nobody is known of is told too."""
    inventory.tell(store, [export("a", EVER[0], "1001", "nas1"), export("a", us(200), "1002", "nas1")])
    found = told(store)
    assert [found["nas1", m][0]["read_bytes"] for m in ("1001", "1002", None)] == [20_000, 40_000, 3_000]
    assert [found["nas1", m][0]["read_bytes_quality"] for m in ("1001", "1002", None)] == ["exact"] * 3
    assert found["other", None][0]["read_bytes"] == 6_000_000
    assert [row["member"] for row in usage(store, "member")] == ["1001", "1002", None, None]


def test_members_of_a_moment_within_usage_share_it(store):
    """Cut by time: together they are all, and each may be what the other is less."""
    inventory.tell(store, [export("a", EVER[0], "1001", "nas1"), export("a", us(203.5), "1002", "nas1")])
    found = told(store)
    first, second = (found["nas1", m][0] for m in ("1001", "1002"))
    assert first["read_bytes"] + second["read_bytes"] == 60_000
    assert (first["read_bytes_quality"], second["read_bytes_quality"]) == ("bounded", "bounded")
    assert first["read_bytes"] <= 21_000 <= first["read_bytes_max"]


def test_an_export_has_what_was_moved_while_it_was_shown(store):
    """Whichever server that was; it is called by what it showed last."""
    names = {"123": "1001/photos", "124": "1002"}
    told = [
        Statement("export", name, at, {"server": server, "dataset": names[name]}, 1)
        for name, server, at in (("123", "a", EVER[0]), ("123", "b", us(200)), ("124", "a", us(400)))
    ]
    inventory.tell(store, [*told, Statement("export", "124", us(500), {"server": "a", "dataset": "1002/new"}, 1)])
    found = {(r["node"], r["export"]): (r["dataset"], r["read_bytes"]) for r in usage(store, "export")}
    assert found == {
        ("nas1, other", "123"): ("1001/photos", 20_000 + 2_000 + 2_000_000),
        ("nas1, other", "124"): ("1002/new", 20_000 + 2_000_000),
        ("nas1", None): (None, 20_000 + 1_000),
        ("other", None): (None, 2_000_000),
    }


def test_members_that_merge_are_one_from_then_on(store):
    """Also over several merges; what was before stays with whom it was."""
    inventory.tell(store, [export("a", EVER[0], "1001"), export("b", EVER[0], "1002")])
    merged = [("1001", "1002", us(200)), ("1002", "1003", us(400))]
    inventory.tell(store, [Statement("member", one, at, {"into": into}, 1) for one, into, at in merged])
    found = {(r["member"], r["node"]): r["read_bytes"] for r in usage(store, "member")}
    both = "nas1, other"
    assert found == {
        ("1001", both): 20_000 + 2_000_000,
        ("1002", both): 20_000 + 2_000 + 2_000_000,
        ("1003", both): 20_000 + 1_000 + 2_000_000,
    }
    assert {us(200), us(400)} <= set(cuts.known(store))


def test_one_server_is_asked_for_alone(store):
    """Others that changed hands meanwhile are not in the answer."""
    inventory.tell(store, [export("a", EVER[0], "1001"), export("a", us(200), "1002")])
    assert [(r["member"], r["read_bytes"]) for r in usage(store, "member", server="b")] == [(None, 3_000)]


def test_steps_are_those_of_the_whole(store):
    """A step in which an export changed hands has a row of both."""
    inventory.tell(store, [export("a", EVER[0], "1001", "nas1"), export("a", us(400), "1002", "nas1")])
    found = told(store, step="5m", zone=UTC)
    steps = {m: [(r["from"], r["read_bytes"]) for r in found["nas1", m]] for m in ("1001", "1002")}
    second = BEGAN + timedelta(minutes=5)
    assert steps == {"1001": [(BEGAN, 30_000), (second, 10_000)], "1002": [(second, 20_000)]}


def test_what_comes_while_it_is_asked_is_in_none_of_the_parts(store):
    """The answers of one question are of one moment."""
    inventory.tell(store, [export("a", EVER[0], "1001"), export("a", us(200), "1002")])
    warehouse = Warehouse(store, "nas1")
    asked = []

    def ask_later(server, since, until):
        asked.append((server, since, until))
        return ask(warehouse, "server", since, until, server=server)

    known = ByMember(inventory.read(store))
    by_owner(lambda: known, ask_later, None, None, order("server"))
    end = BEGAN + timedelta(seconds=600)
    turn = BEGAN + timedelta(seconds=200)
    assert asked == [(None, None, None), ("a", None, turn), ("a", turn, end)]


MOMENTS = st.one_of(st.integers(-5, 65).map(lambda n: n * 10.0), st.floats(-50, 650))
CHANGES = st.lists(
    st.tuples(st.sampled_from("ab"), MOMENTS, st.sampled_from(["1001", "1002", "1003"])), min_size=1, max_size=6
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A store of which only the inventory is written anew."""
    where = tmp_path_factory.mktemp("members") / "store"
    root.prepare(where)
    series.write(SERIES, where)
    return where


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(changes=CHANGES, step=st.sampled_from([None, "5m"]), span=st.tuples(st.none() | MOMENTS, st.none() | MOMENTS))
def test_sums_are_those_of_servers_whenever_something_changes_hands(shared, changes, step, span):
    """To the byte, in every step: nothing is lost or told twice."""
    since, until = (None if at is None else BEGAN + timedelta(seconds=round(at, 6)) for at in span)
    if since and until and since >= until:
        return
    (shared / inventory.FILE).unlink(missing_ok=True)
    inventory.tell(shared, [export(server, us(at), member) for server, at, member in changes])
    sums = {}
    for by in ("server", "member"):
        for row in usage(shared, by, since, until, step):
            for measure in MEASURES:
                key = by, row["from"], measure
                sums[key] = sums.get(key, 0) + (row[measure] or 0)
    members = {key[1:]: value for key, value in sums.items() if key[0] == "member"}
    assert members == {key[1:]: value for key, value in sums.items() if key[0] == "server"}
