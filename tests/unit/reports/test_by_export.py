"""Usage by export: a dataset, whichever servers, numbers and nodes showed it, and each byte of it once."""

from datetime import UTC, datetime, timedelta

import pytest
import series
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasacct.reports.usage_rows import usage
from nasacct.store import inventory, root
from nasacct.store.inventory import EVER, Statement

BEGAN = datetime(2026, 11, 23, 10, tzinfo=UTC)
MEASURES = ("read_bytes", "written_bytes", "received_bytes", "sent_bytes", "calls")
#: Export 123 is served by both nodes for 100 s while it moves; 150 is a snapshot of it, 7 another one.
SERIES = """
nfsd  server=123         read_bytes     0+1000x30 - - -
links server=123 link=v1 received_bytes 0+1100x30 - - -
nfsd  server=7           read_bytes     0+50x60
node nas2
nfsd  server=123         read_bytes     -
nfsd  server=150         read_bytes     0+7x60
"""


def moving():
    """The series, with what nas2 serves from cycle 20 on."""
    late = " ".join(["-"] * 20 + [str(100 * n) for n in range(41)])
    return SERIES.replace("read_bytes     -\n", f"read_bytes     {late}\n")


def us(after_s):
    return int(BEGAN.timestamp() * 1_000_000) + round(after_s * 1_000_000)


def server(node, name, dataset, at=EVER[0], **more):
    """What the keeper tells of a server."""
    return Statement("server", f"{node}/{name}", at, {"dataset": dataset, **more}, 1, "osctl-exportfs")


def export(name, dataset, member, at=EVER[0], **more):
    said = {"server": name, "dataset": dataset, "member": member, **more}
    return Statement("export", name, at, said, 1, "vpsadmin")


FOUND = [
    server("nas1", "123", "1001/photos"),
    server("nas2", "123", "1001/photos"),
    server("nas2", "150", "1001/photos", snapshot="2026-11-23T01:00:00Z"),
    server("nas1", "7", "1002"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of which only the inventory is written anew."""
    where = tmp_path_factory.mktemp("exports") / "store"
    root.prepare(where)
    series.write(moving(), where)
    return where


@pytest.fixture(autouse=True)
def empty(store):
    (store / inventory.FILE).unlink(missing_ok=True)


def told(store, statements, **asked):
    inventory.tell(store, statements)
    return {
        (r["export"], r["dataset"]): (r["node"], r["owner"], r["read_bytes"]) for r in usage(store, "export", **asked)
    }


def test_an_export_is_one_row_over_its_move_with_its_snapshots(store):
    """What either node's server moved is other bytes, while both serve it too; it is called by its own number."""
    assert told(store, FOUND) == {
        ("123", "1001/photos"): ("nas1, nas2", None, 30_000 + 4_000 + 420),
        ("7", "1002"): ("nas1", None, 3_000),
    }


def test_steps_of_an_export_are_of_all_nodes(store):
    """One row for each step, and they add up; it is as new as the node of which least is here."""
    inventory.tell(store, FOUND)
    rows = usage(store, "export", step="5m")
    mine = [row for row in rows if row["dataset"] == "1001/photos"]
    assert [row["from"] for row in mine] == [BEGAN, BEGAN + timedelta(minutes=5)]
    assert [row["read_bytes"] for row in mine] == [30_000 + 1_000 + 210, 3_000 + 210]
    assert rows.reached.keys() == {"nas1", "nas2"}
    assert all(row["as_of"] == min(rows.reached.values()) for row in mine)


def test_what_somebody_told_says_more(store):
    """Members and numbers are the API's; of what it does not say the server's configuration does."""
    api = [export("123", "1001/photos", "1001"), Statement("export", "7", EVER[0], {"server": "7", "member": "5"}, 1)]
    assert told(store, [*FOUND, *api, Statement("member", "5", EVER[0], {"name": "five", "into": "6"}, 1)]) == {
        ("123", "1001/photos"): ("nas1, nas2", "1001", 30_000 + 4_000 + 420),
        ("7", "1002"): ("nas1", "6", 3_000),
    }


def test_datasets_of_one_name_are_not_one_where_their_ids_say_so(store):
    """A VPS's is called by its number as a member's is; an export that goes on under another number is one."""
    api = [export("123", "1001", "1", dataset_id="5"), export("7", "1001", "2", dataset_id="6")]
    again = [
        Statement("export", "150", EVER[0], {"server": "x"}, 1, "vpsadmin"),
        export("150", "1001/new", "1", us(0), dataset_id="5"),
    ]
    assert told(store, [*api, *again]) == {
        ("150", "1001/new"): ("nas1, nas2", "1", 30_000 + 4_000 + 420),
        ("7", "1001"): ("nas1", "2", 3_000),
    }


def test_numbers_that_nobody_told_are_each_nodes_own(store):
    """Servers of one name on two nodes that show two datasets are two exports."""
    assert told(store, [server("nas1", "123", "a"), server("nas2", "123", "b")]) == {
        ("123", "a"): ("nas1", None, 30_000),
        ("123", "b"): ("nas2", None, 4_000),
        (None, None): ("nas2", None, 420),
    }
    rows = [row["node"] for row in usage(store, "export") if row["export"] is None]
    assert rows == ["nas1", "nas2"]


def test_an_export_that_is_gone_keeps_its_history(store):
    """It is called as it was, and what its server moves afterwards is nobody's."""
    gone = Statement("export", "7", us(200), None, 1, "vpsadmin")
    assert told(store, [export("7", "1002", "2"), gone], server="7") == {
        ("7", "1002"): ("nas1", "2", 1_000),
        (None, None): ("nas1", None, 2_000),
    }


MOMENTS = st.one_of(st.integers(-5, 65).map(lambda n: n * 10.0), st.floats(-50, 650))
DATASETS = st.sampled_from(["a", "b", None])
STATEMENTS = st.lists(
    st.one_of(
        st.builds(
            lambda where, dataset, at: server(*where, dataset or "c", at),
            st.sampled_from([("nas1", "123"), ("nas2", "123"), ("nas2", "150"), ("nas1", "7")]),
            DATASETS,
            MOMENTS.map(us) | st.just(EVER[0]),
        ),
        st.builds(
            lambda name, of, dataset, at, node: Statement(
                "export",
                name,
                at,
                {"server": of} | ({"dataset": dataset} if dataset else {}) | ({"node": node} if node else {}),
                1,
            ),
            st.sampled_from(["123", "150", "7"]),
            st.sampled_from(["123", "150", "7"]),
            DATASETS,
            MOMENTS.map(us) | st.just(EVER[0]),
            st.sampled_from(["nas1", "nas2", None]),
        ),
        st.builds(
            lambda name, at: Statement("export", name, us(at), None, 1), st.sampled_from(["123", "150", "7"]), MOMENTS
        ),
    ),
    max_size=6,
)


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(
    statements=STATEMENTS, span=st.tuples(st.none() | MOMENTS, st.none() | MOMENTS), step=st.sampled_from([None, "5m"])
)
def test_sums_are_those_of_servers_whatever_is_told_of_exports(store, statements, span, step):
    """To the byte: nothing is lost or told twice, whoever showed it where; each export has one row a step."""
    since, until = (None if at is None else BEGAN + timedelta(seconds=round(at, 6)) for at in span)
    if since and until and since >= until:
        return
    (store / inventory.FILE).unlink(missing_ok=True)
    inventory.tell(store, statements)
    sums = {}
    for by in ("server", "export"):
        for row in usage(store, by, since, until, step):
            for measure in MEASURES:
                key = by, row["from"], measure
                sums[key] = sums.get(key, 0) + (row[measure] or 0)
    exports = {key[1:]: value for key, value in sums.items() if key[0] == "export"}
    assert exports == {key[1:]: value for key, value in sums.items() if key[0] == "server"}
    keys = [(r["from"], r["node"], r["export"], r["dataset"]) for r in usage(store, "export", since, until, step)]
    assert len(keys) == len(set(keys))
