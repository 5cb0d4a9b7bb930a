"""Cells read without SQL are those that the view's SELECT has."""

from datetime import UTC, datetime
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import Recorder

from nasacct.reports.graph import graph
from nasacct.store import picking, tree
from nasacct.store.keep import Rules, keep
from nasacct.store.shelf import shelf
from nasacct.store.tree import STEPS, Tree
from nasacct.store.view_columns import cells
from nasacct.store.views import Piece
from nasacct.store.warehouse import Question, Warehouse

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
HOUR_US = 3_600_000_000
BEGIN_US = int(TEN.timestamp()) * 1_000_000
SELECT = "SELECT * EXCLUDE (server) FROM nfsd WHERE server = $server"
SERVERS = ("a", "ab", "b", "ž", "z'; --", "nobody")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Five servers over three weeks, with gaps and ends that nobody read, most of it in rollups of small row groups."""
    where = tmp_path_factory.mktemp("picking")
    recorder = Recorder(where, interval_s=10)
    lives = {name: recorder.thing("nfsd", server=name) for name in SERVERS[:-1]}
    for i in range(300):
        if i % 30 == 20:
            recorder.rotate()
        if i % 100 == 50:
            lives["b"] = recorder.thing("nfsd", f"boot-{i}", server="b")
        now = {life: {"read_bytes": 1000 * i * (n + 1), "calls": i} for n, life in enumerate(lives.values())}
        if i % 100 == 49:
            now[lives["b"]] = None
        recorder.cycle(now, seconds=[10, 290, 1300, 20_000][i % 4])
    with mock.patch.object(tree, "_FEW_ROWS", 7):
        for _ in range(2):
            keep(Tree(where, "nas1"), TEN.timestamp() + 90 * 86_400, Rules({"readings": 40, "usage": 400}, -1e12))
    return where


@pytest.fixture(scope="module")
def warehouse(store):
    return Warehouse(store)


def rows(warehouse, server, piece, columns, *, of):
    """What the question answers, in an order."""
    key = "server" if of else None
    (found,) = warehouse.answers([Question(SELECT, {"server": server}, {"nfsd": [piece]}, columns, of=key)])
    names = sorted(found.column_names)
    return names, sorted(found.select(names).to_pylist(), key=lambda row: tuple(map(str, row.values())))


def hours_of(store):
    """The oldest rollup of hours."""
    return min(shelf(Tree(store, "nas1").rollup("1h", tree.STREAMS["nfsd"]).folder).visible, key=lambda s: s.since)


def mapped(segment):
    """What picking knows of it."""
    status = segment.path.stat()
    return picking._mapped(segment.path, "server", status.st_size, status.st_mtime_ns)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_asked_the_rows_are_those_of_the_select(warehouse, data):
    """Any columns, any server, any span: one that cuts a cell is asked of SQL."""
    step = data.draw(st.sampled_from(sorted(STEPS)))
    server = data.draw(st.sampled_from(SERVERS))
    known = [name for name in cells(tree.STREAMS["nfsd"], 1) if name != "server"]
    columns = {"server", *data.draw(st.sets(st.sampled_from(known), min_size=1))}
    edge = st.one_of(
        st.integers(-5, 600).map(lambda n: BEGIN_US + n * HOUR_US), st.integers(BEGIN_US, BEGIN_US + 10**12)
    )
    since, until = sorted((data.draw(edge), data.draw(edge)))
    piece = Piece(f"nfsd_{step}", since, until + 1 if since == until else until)
    assert rows(warehouse, server, piece, columns, of=True) == rows(warehouse, server, piece, columns, of=False)


def test_no_sql_is_asked_where_rollups_are_enough(warehouse):
    """And only the row groups that may hold the server are decoded."""
    with mock.patch.object(warehouse.engine, "query", side_effect=AssertionError("SQL was asked")):
        piece = Piece("nfsd_1h", 0, BEGIN_US + 300 * HOUR_US)
        found = rows(warehouse, "ab", piece, {"server", "bucket", "read_bytes"}, of=True)
    assert len(found[1]) > 50
    segment = hours_of(warehouse.root)
    known = mapped(segment)
    mine = [n for n, span in zip(known.rows, known.spans["server"], strict=True) if span[0] <= "ab" <= span[1]]
    assert sum(mine) <= len(found[1]) + 2 * 7 < sum(known.rows)


def test_where_too_much_would_be_decoded_sql_is_asked(warehouse):
    """A store of 0.2.0 has large row groups."""
    columns = {"server", "bucket", "calls"}
    usual = rows(warehouse, "a", Piece("nfsd_1h"), columns, of=True)
    with (
        mock.patch.object(picking, "_MOST", 10),
        mock.patch.object(warehouse.engine, "query", wraps=warehouse.engine.query) as asked,
    ):
        assert rows(warehouse, "a", Piece("nfsd_1h"), columns, of=True) == usual
    assert asked.called


def test_a_rollup_that_rots_is_left_out_and_told_of(store):
    """Each page has a checksum, and it is looked at."""
    warehouse = Warehouse(store)
    since, until = TEN, datetime(2027, 2, 1, tzinfo=UTC)
    whole = graph(warehouse, "ab", since, until).table
    assert not warehouse.trouble
    segment = hours_of(store)
    data = segment.path.read_bytes()
    known = mapped(segment)
    group = next(i for i, span in enumerate(known.spans["server"]) if span == ("ab", "ab"))
    column = known.metadata.row_group(group).column(known.metadata.schema.names.index("read_bytes"))
    at = column.data_page_offset + column.total_compressed_size - 3
    try:
        segment.path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        found = graph(warehouse, "ab", since, until).table
        assert any(str(segment.path) in said for said in warehouse.trouble)
        # usage tells instead
        assert found.column("read_bytes").equals(whole.column("read_bytes"))
    finally:
        segment.path.write_bytes(data)
