"""The warehouse: everything that is known is in every answer, once; what is not is told."""

import itertools
import shutil
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest
from journals import Recorder

from nasacct.errors import NO_INPUT, NasacctError
from nasacct.reports.graph import graph
from nasacct.reports.usage import ask
from nasacct.store import journal
from nasacct.store.engine import EngineError
from nasacct.store.keep import Rules, keep
from nasacct.store.schema import NFSD, STREAMS
from nasacct.store.segment_file import SegmentWriter
from nasacct.store.segments import footer
from nasacct.store.shelf import shelf
from nasacct.store.tables import readings_schema, usage_schema
from nasacct.store.tree import STEPS, Tree
from nasacct.store.views import Piece
from nasacct.store.warehouse import Warehouse

THINGS = [("nfsd", "srv1", {}), ("nfsd", "srv2", {}), ("links", "srv2", {"link": "v2"})]
KEPT = Rules({"readings": 40, "usage": 400}, grace_s=1e12)
ADDED = "SELECT CAST(sum(read_bytes) AS BIGINT) AS m FROM nfsd"


def added(warehouse):
    """All bytes read that there are."""
    return warehouse.query(ADDED, views=["nfsd"]).to_pylist()[0]["m"]


def record(where, *, cycles=6, node="nas1", file_cycles=2, start="2026-11-23T10:00:00+00:00"):
    """One server that reads 100 bytes a cycle."""
    recorder = Recorder(where, node=node, start=start)
    server = recorder.thing("nfsd", server="srv1")
    for i in range(cycles):
        if i and i % file_cycles == 0:
            recorder.rotate()
        recorder.cycle({server: {"read_bytes": 100 * i}})
    return recorder


@pytest.mark.parametrize("view", [*STREAMS, *(f"readings_{s}" for s in STREAMS)])
def test_a_view_of_nothing_is_empty_and_typed(tmp_path, view):
    """No node and no file are no error; every column is there, with its type."""
    (tmp_path / "store.json").write_text('{"nasacct_store": 1}')
    stream = STREAMS[view.removeprefix("readings_")]
    schema = readings_schema(stream) if view.startswith("readings_") else usage_schema(stream)
    answer = Warehouse(tmp_path).query(f"SELECT * FROM {view}", views=[view])
    assert len(answer) == 0
    for field in schema:
        assert str(answer.schema.field(field.name).type).replace("Etc/", "") == str(field.type)


def test_the_last_cycle_is_in_the_answer(tmp_path):
    """What was written a moment ago is asked for like everything else, before and after the keeper ran."""
    recorder = record(tmp_path)
    warehouse = Warehouse(tmp_path)
    (server,) = recorder.alive["nfsd"]
    assert added(warehouse) == 500
    recorder.cycle({server: {"read_bytes": 777}})
    assert added(warehouse) == 777
    keep(Tree(tmp_path, "nas1"), 2e9, KEPT)
    recorder.cycle({server: {"read_bytes": 778}})
    assert added(warehouse) == 778


def test_readings_are_what_was_read(tmp_path):
    """Raw counters at their instants, from segments and from the journal, with their kind."""
    record(tmp_path, cycles=5)
    keep(Tree(tmp_path, "nas1"), 2e9, KEPT)
    asked = "SELECT read_bytes FROM readings_nfsd WHERE kind = 'read' ORDER BY t"
    rows = Warehouse(tmp_path).query(asked, views=["readings_nfsd"])
    assert rows.to_pylist() == [{"read_bytes": 100 * i} for i in range(5)]


def test_several_nodes_are_one_store(tmp_path):
    """Trees that were copied to one place add up; one of them can be asked alone."""
    record(tmp_path / "a", node="nas1")
    record(tmp_path / "b", node="nas2", cycles=3)
    shutil.copytree(tmp_path / "a", tmp_path / "all")
    shutil.copytree(tmp_path / "b" / "node=nas2", tmp_path / "all" / "node=nas2")
    assert added(Warehouse(tmp_path / "all")) == 500 + 200
    assert added(Warehouse(tmp_path / "all", "nas2")) == 200
    assert [w.node for w in Warehouse(tmp_path / "all").by_node()] == ["nas1", "nas2"]


def test_no_store_and_no_such_node_are_told(tmp_path):
    """One sentence, with what there is."""
    with pytest.raises(NasacctError, match="holds no store") as told:
        Warehouse(tmp_path)
    assert told.value.status == NO_INPUT
    record(tmp_path)
    with pytest.raises(NasacctError, match="holds no node elsewhere; it holds: nas1"):
        Warehouse(tmp_path, "elsewhere")


def test_a_wrong_question_is_told(tmp_path):
    """The engine's words, and where it happened."""
    record(tmp_path)
    with pytest.raises(NasacctError, match="nfds"):
        Warehouse(tmp_path).query("SELECT * FROM nfds", views=["nfsd"])


def test_a_damaged_segment_is_left_out_and_told(tmp_path):
    """DuckDB fails the whole query for one broken page; the warehouse finds the file and asks again.

    What the file replaced and is still there is seen again; without that its rows are missing.
    """
    recorder = record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    keep(tree, 0, KEPT)
    first, *_ = sorted(shelf(tree.relation("usage", NFSD).folder).visible, key=lambda s: s.since)
    content = bytearray(first.path.read_bytes())
    pages = pq.read_metadata(first.path).row_group(0)
    end = max(pages.column(i).data_page_offset for i in range(pages.num_columns))
    content[4:end] = b"\xff" * (end - 4)
    first.path.write_bytes(content)
    warehouse = Warehouse(tmp_path)
    assert added(warehouse) == 500
    assert [t for t in warehouse.trouble if first.name in t]
    for path in journal.files(recorder.folder)[:-1]:
        path.unlink()
    assert 0 < added(warehouse) < 500
    assert 0 < added(Warehouse(tmp_path)) < 500


def test_a_torn_journal_counts_as_far_as_it_is_whole(tmp_path):
    """The end of the newest file is lost, that of an older one is bridged by the next head; both are told."""
    recorder = record(tmp_path)
    files = journal.files(recorder.folder)
    recorder.tear(1, files[0])
    recorder.tear(1)
    warehouse = Warehouse(tmp_path)
    assert added(warehouse) == 400
    assert sorted(t.split(" has a ")[0] for t in warehouse.trouble) == [str(files[0]), str(files[-1])]
    files[1].write_bytes(b"not a journal")
    assert added(warehouse) == 400
    assert [t for t in warehouse.trouble if "not a nasacct journal" in t]
    keep(Tree(tmp_path, "nas1"), 0, KEPT)
    assert added(warehouse) == 400


def test_what_lies_in_quarantine_is_told(tmp_path):
    """An answer says what is missing from it, also after the keeper has cleaned up."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    journal.files(tree.journal)[0].write_bytes(b"not a journal")
    keep(tree, 0, KEPT)
    warehouse = Warehouse(tmp_path)
    assert added(warehouse) > 0
    assert [t for t in warehouse.trouble if "quarantine" in t]


def test_the_newest_moment(tmp_path):
    """The end of the last cycle, with and without a journal."""
    recorder = record(tmp_path)
    assert Warehouse(tmp_path).newest(["nfsd"]).isoformat() == "2026-11-23T10:00:50+00:00"
    keep(Tree(tmp_path, "nas1"), 0, KEPT)
    shutil.rmtree(recorder.folder)
    assert Warehouse(tmp_path).newest(["nfsd"]).isoformat() == "2026-11-23T10:00:30+00:00"
    assert Warehouse(tmp_path).newest(["links"]) is not None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SET enable_external_access = true",
        "ATTACH '/tmp/x.db'",
        "COPY (SELECT 1) TO '/tmp/nasacct-x.csv'",
        "SELECT * FROM tail_nfsd",
    ],
)
def test_a_query_sees_nothing_but_its_views(tmp_path, sql):
    """No file of the machine, no other setting, no other query's tables."""
    record(tmp_path)
    warehouse = Warehouse(tmp_path)
    added(warehouse)
    with pytest.raises(EngineError):
        warehouse.engine.query(sql)


def test_a_root_with_a_quote_in_its_name(tmp_path):
    """Paths become strings of SQL."""
    where = tmp_path / "it's a store"
    record(where)
    keep(Tree(where, "nas1"), 0, KEPT)
    assert added(Warehouse(where)) == 500


KEEPER = """
import pathlib, sys
from nasacct.store.keep import Rules, keep
from nasacct.store.tree import Tree

tree, rules = Tree(pathlib.Path(sys.argv[1]), "nas1"), Rules({"readings": 400, "usage": 400}, grace_s=2)
while not keep(tree, 2e9, rules):
    print("kept", flush=True)
"""


def test_a_thousand_answers_are_right_while_the_keeper_and_the_collector_work(tmp_path):
    """Readers take no lock: at any moment the answer holds all that was written, once, from rows and from cells."""
    recorder = Recorder(tmp_path)
    server = recorder.thing("nfsd", server="srv1")
    # one difference is there before anybody asks: of none, the sum is unknown
    recorder.cycle({server: {"read_bytes": 0}})
    recorder.cycle({server: {"read_bytes": 1}}, seconds=90)
    written = [1]
    over = threading.Event()

    def collect():
        # long ago: hours and days are over at once, so segments are replaced all the time
        for i in itertools.count(2):
            if i % 7 == 0:
                # not faster than the keeper
                while len(journal.files(recorder.folder)) > 6:
                    if over.wait(0.01):
                        return
                recorder.rotate()
            recorder.cycle({server: {"read_bytes": i}}, seconds=90)
            written[0] = i
            if over.wait(0.01):
                return

    collector = threading.Thread(target=collect)
    keeper = subprocess.Popen([sys.executable, "-c", KEEPER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    kept: list[str] = []
    listener = threading.Thread(target=lambda: kept.extend(keeper.stdout))
    collector.start()
    listener.start()
    warehouse, answers = Warehouse(tmp_path), 0
    try:
        # as long as it takes: a busy machine keeps slower than it answers
        while answers < 1000 or len(kept) <= 5:
            view = ("nfsd", "nfsd_5m", "nfsd_1h", "nfsd_1d")[answers % 4]
            before = written[0]
            answer = warehouse.query(ADDED.replace("nfsd", view), views=[view]).to_pylist()[0]["m"]
            assert before <= answer <= written[0] + 1
            answers += 1
    finally:
        over.set()
        collector.join()
        keeper.terminate()
        stopped = keeper.wait()
        listener.join()
        keeper.stdout.close()
    assert stopped == -signal.SIGTERM
    assert {s.level for s in shelf(Tree(tmp_path, "nas1").relation("usage", NFSD).folder).visible} >= {"day"}


CELLS = """
SELECT {keys} epoch, t0_us, t1_us, before_us, after_us, whole, sum(parts)::BIGINT AS parts, {measures}
FROM {view} GROUP BY ALL ORDER BY ALL
"""
ADDS_UP = 'CASE WHEN count("{m}") = count(*) THEN sum("{m}")::BIGINT END AS "{m}"'


@pytest.mark.parametrize("step", STEPS)
def test_cells_are_the_same_before_and_after_they_are_rolled_up(tmp_path, step):
    """SQL sums what is in no rollup yet as the keeper will: sums, bounds, what is unknown, and pieces of long rows."""
    recorder = Recorder(tmp_path, interval_s=10)
    one, two, link = (recorder.thing(s, server=n, **k) for s, n, k in THINGS)
    for i in range(400):
        now = {one: {"read_bytes": 7 * i if i != 50 else 3}, two: {"calls": i, "read": 2 * i}, link: {"sent_bytes": i}}
        if 100 <= i < 300:
            now[two] = None
        if i == 350:
            del now[link]
            link = recorder.thing("links", "boot-second", server="srv2", link="v2")
        if i == 380:
            recorder.rotate()
        recorder.cycle(now, seconds=4000 if i == 320 else 10)
    warehouse = Warehouse(tmp_path)

    def cells():
        found = {}
        for name, stream in STREAMS.items():
            keys = "".join(f"{k}, " for k in stream.keys)
            names = [n for m in stream.usage for n in (m.name, f"{m.name}_more")[: 1 + m.bounded]]
            measures = ", ".join(ADDS_UP.format(m=n) for n in names)
            asked = CELLS.format(keys=keys, measures=measures, view=f"{name}_{step}")
            found[name] = warehouse.query(asked, views=[f"{name}_{step}"]).to_pylist()
        return found

    before = cells()
    assert [r for r in before["nfsd"] if r["whole"]] or step != "5m"
    assert [r for r in before["links"] if r["sent_bytes_more"]]
    assert [r for r in before["nfsd"] if r["read_bytes_more"] is None]
    for _ in range(2):
        keep(Tree(tmp_path, "nas1"), 2e9, KEPT)
        after = cells()
        assert after == before
    assert shelf(Tree(tmp_path, "nas1").rollup(step, STREAMS["nfsd"]).folder).visible


def test_a_view_may_be_made_of_pieces(tmp_path):
    """Each span of time from another view; together they hold everything once."""
    recorder = Recorder(tmp_path, interval_s=60)
    server = recorder.thing("nfsd", server="srv1")
    for i in range(200):
        recorder.cycle({server: {"read_bytes": i}})
    warehouse = Warehouse(tmp_path)
    at = [int(datetime(2026, 11, 23, h, tzinfo=UTC).timestamp()) * 1_000_000 for h in (11, 12)]
    pieces = [Piece("nfsd", 0, at[0]), Piece("nfsd_1h", *at), Piece("nfsd_5m", at[1])]
    asked = "SELECT sum(read_bytes)::BIGINT AS m, count(*) FILTER (t1_us - t0_us > 3e9) AS hours FROM nfsd"
    assert warehouse.query(asked, views={"nfsd": pieces}).to_pylist() == [{"m": 199, "hours": 1}]


def older(relation, lacking):
    """The first segment of the relation, as a program wrote it that did not know these columns."""
    segment = min(shelf(relation.folder).visible, key=lambda s: s.since)
    said = footer(segment)
    table = pq.read_table(segment.path).drop_columns([n for n in relation.schema.names if n.startswith(lacking)])
    segment.path.unlink()
    with SegmentWriter(relation.folder, said.level, table.schema.remove_metadata()) as writer:
        writer.add(table.replace_schema_metadata())
        writer.finish(said)


def later(recorder, files):
    """The collector is started again a day later, and so often its file is followed by another one."""
    (server,) = recorder.alive["nfsd"]
    for _ in range(files):
        recorder.rotate()
        recorder.cycle({server: None}, seconds=86_400)


@pytest.mark.parametrize("all_of_it", [True, False], ids=["all rollups", "older rollups"])
def test_a_measure_that_rollups_lack_is_unknown_in_them(tmp_path, all_of_it):
    """A column added later: what was summed before counts, and of the new measure nothing is known there."""
    recorder = record(tmp_path, cycles=30, file_cycles=10)
    later(recorder, 2)
    tree = Tree(tmp_path, "nas1")
    keep(tree, datetime(2026, 11, 24, 1, tzinfo=UTC).timestamp(), KEPT)
    for relation in [tree.relation("usage", NFSD), *tree.rollups(NFSD)]:
        older(relation, ("calls", "connections"))
    if not all_of_it:
        later(recorder, 1)
    warehouse = Warehouse(tmp_path)
    for view in ("nfsd", "nfsd_5m", "nfsd_1h", "nfsd_1d"):
        sums = "sum(read_bytes)::BIGINT AS m, sum(read_bytes_unknown)::BIGINT AS u, count(calls) AS calls"
        unknown = "sum(calls_unknown)::BIGINT AS parts, count(calls_more) AS bounds"
        (row,) = warehouse.query(
            f"SELECT {sums}, {unknown} FROM {view} WHERE t0 < '2026-11-24'", views=[view]
        ).to_pylist()
        assert (row["m"], row["u"], row["calls"], row["bounds"]) == (2_900, 0, 0, 0), view
        assert row["parts"] > 0, view
    since, until = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
    (told,) = ask(warehouse, "server", since, until).to_pylist()
    assert (told["read_bytes_quality"], told["calls_quality"], told["calls"]) == ("exact", "unknown", None)
    assert set(graph(warehouse, "srv1", since, until).table.column("calls").to_pylist()) == {None}
