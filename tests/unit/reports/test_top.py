"""Top: the newest minute of every node, as numbers."""

from collections import Counter
from datetime import UTC, datetime

import pytest
import series

from nasacct.errors import NasacctError
from nasacct.reports.top import ask, top
from nasacct.store import journal
from nasacct.store.engine import DuckEngine
from nasacct.store.keep import Rules, keep
from nasacct.store.schema import STREAMS
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

NODES = """
nfsd  server=srv1          read_bytes  0+1000x6
nfsd  server=srv1          rc_nocache  0+1x6
nfsd  server=srv2          read_bytes  0+100x6
nfsd  server=srv2          rc_nocache  0+50x6
links server=srv2 link=v2  sent_bytes  0+90000x6
disks disk=wwn device=sda  ms_io       0+5000x6
node                       io_some_us  0+1000000x6
node old
start 2020-01-01T00:00:00Z
nfsd  server=srv9          written_bytes  0+500x6
"""


@pytest.fixture
def store(tmp_path):
    """Two nodes, one of which was recorded years ago."""
    series.write(NODES, tmp_path)
    return tmp_path


def test_each_node_is_shown_as_of_its_newest_data(store):
    """A recording of years ago has a last minute, too."""
    found = top(store)
    assert [(n.node, n.as_of) for n in found.nodes] == [
        ("nas1", datetime(2026, 11, 23, 10, 1, tzinfo=UTC)),
        ("old", datetime(2020, 1, 1, 0, 1, tzinfo=UTC)),
    ]
    assert found.as_of == datetime(2026, 11, 23, 10, 1, tzinfo=UTC)
    assert found.nodes[0].io_some == pytest.approx(0.1)
    assert found.nodes[1].io_some is None
    assert [(d.node, d.device, d.busy) for d in found.disks] == [("nas1", "sda", pytest.approx(0.5))]
    assert {s.server: s.node for s in found.servers} == {"srv1": "nas1", "srv2": "nas1", "srv9": "old"}
    assert found.trouble == []


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("bytes", ["srv2", "srv1", "srv9"]),
        ("read", ["srv1", "srv2", "srv9"]),
        ("written", ["srv9", "srv1", "srv2"]),
        ("calls", ["srv2", "srv1", "srv9"]),
        ("server", ["srv1", "srv2", "srv9"]),
    ],
)
def test_servers_are_sorted_as_asked(store, sort, order):
    """The largest first, by what is asked for; bytes are the link's where it is known."""
    assert [s.server for s in top(store, sort=sort).servers] == order


def test_one_node_is_asked_alone(store):
    """Of the others nothing is read."""
    assert {s.server for s in top(store, node="old").servers} == {"srv9"}
    with pytest.raises(NasacctError, match="holds no node"):
        top(store, node="nas3")


def test_a_store_without_data_shows_nothing(tmp_path):
    """No node, no error."""
    (tmp_path / "store.json").write_text('{"nasacct_store": 1}')
    found = top(tmp_path)
    assert (found.nodes, found.disks, found.servers, found.as_of) == ([], [], [], None)


def test_asked_again_it_shows_the_same_from_segments(store):
    """What is kept open sees what the keeper made of the journal."""
    warehouse = Warehouse(store)
    before = ask(warehouse)
    for node in ("nas1", "old"):
        keep(Tree(store, node), 2e9, Rules({"readings": 40, "usage": 400}, 1e12))
    assert ask(warehouse) == before


class Counting(DuckEngine):
    """The engine, and what it was asked about."""

    def __init__(self, root):
        super().__init__(root)
        self.asked = Counter()

    def query(self, sql, params=None, *, views=None, tables=None):
        self.asked.update(list(views))
        return super().query(sql, params, views=views, tables=tables)


def test_what_was_not_read_in_this_time_is_not_asked_about(tmp_path):
    """Planning a question takes longer than to see that there is nothing; what was read long before is no more."""
    series.write(
        """
        nfsd    server=a read_bytes 0+100x30
        disks   disk=wwn device=sda ms_io 0+5000x30
        latency server=a calls_10 0+100x6
        """,
        tmp_path,
    )
    engine = Counting(tmp_path)
    found = ask(Warehouse(tmp_path, engine=engine), server="a")
    assert engine.asked == {"nfsd": 1, "links": 1, "disks": 1}
    assert [(one.server, one.read_bytes_s, one.p95_us) for one in found.servers] == [("a", 10, None)]
    assert (found.clients, found.operations, [node.io_some for node in found.nodes]) == ([], [], [None])


def test_a_damaged_file_is_told_though_nothing_else_is_there_to_ask_about(tmp_path):
    """What only it held is missing."""
    series.write(
        """
        files 3
        nfsd  server=a            read_bytes 0+100x6
        disks disk=wwn device=sda ms_io      0+5000x3 - - -
        """,
        tmp_path,
    )
    tree = Tree(tmp_path, "nas1")
    keep(tree, 0, Rules({"readings": 40, "usage": 400}, 1e12))
    assert [disk.device for disk in ask(Warehouse(tmp_path)).disks] == ["sda"]
    segments = list(tree.relation("usage", STREAMS["disks"]).folder.glob("*.parquet"))
    for segment in segments:
        segment.write_bytes(b"nothing of Parquet")
    for path in journal.files(tree.journal)[:-1]:
        path.unlink()
    engine = Counting(tmp_path)
    found = ask(Warehouse(tmp_path, engine=engine))
    assert (found.disks, engine.asked["disks"], [server.server for server in found.servers]) == ([], 0, ["a"])
    assert all(any(segment.name in trouble for trouble in found.trouble) for segment in segments)


def test_how_long_calls_take_is_shown_where_the_inside_of_nfsd_is_read(tmp_path):
    """The mean, what 95 of 100 did not exceed, busy threads; by NFSv3 procedure of a server; servers sorted by it."""
    series.write(
        """
        nfsd server=a read_bytes 0+0x6
        nfsd server=b read_bytes 0+0x6
        inside server=a read_calls 0+100x6
        inside server=a read_us 0+5000000x6
        inside server=a compound_calls 0+100x6
        inside server=a compound_us 0+100000x6
        latency server=a calls_10 0+100x6
        latency server=a calls_16 0+100x6
        inside server=b read_calls 0+100x6
        inside server=b read_us 0+9000000x6
        inflight server=b client= operation= sampled_us 0+9000000x6
        inflight server=b client= operation= full_us 0+900000x6
        """,
        tmp_path,
    )
    (tmp_path / "store.json").write_text('{"nasacct_store": 1}')
    found = ask(Warehouse(tmp_path), window_s=50, sort="time", server="a")
    b, a = found.servers
    assert (a.server, a.mean_us, a.p95_us, a.busy_threads) == ("a", 25_500, 65_536, 0.51)
    # of a server with too few threads nobody knows how long calls waited for one
    assert (b.mean_us, b.p95_us, b.busy_threads, b.full, b.exhausted) == (None, None, 0.9, 0.1, True)
    (read,) = found.operations
    assert (read.operation, read.operations_s, read.mean_us) == ("v3 read", 10, 50_000)
