"""Explain: each figure's readings, how lives began and ended, and what of it is kept no more."""

from datetime import UTC, datetime, timedelta

from journals import Recorder

from nasacct.reports import usage
from nasacct.reports.explain import explain
from nasacct.store.keep import Rules, keep
from nasacct.store.shelf import shelf
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)


def record(where):
    """A server that was there before, ends unread and is born anew, whose second life is read at its end."""
    recorder = Recorder(where)
    first, other = (recorder.thing("nfsd", server=s) for s in ("srv1", "srv2"))
    for i in range(5):
        recorder.cycle({first: {"read_bytes": 700 + i}, other: {"read_bytes": 5 * i}})
    second = recorder.thing("nfsd", "boot-second", server="srv1")
    recorder.rotate()
    for i in range(5):
        recorder.cycle({second: {"read_bytes": 10 * i}, other: {"read_bytes": 99}})
    recorder.final(second, {"read_bytes": 77}, seconds=3)
    recorder.cycle({other: {"read_bytes": 99}})
    return recorder


def read_rows(rows, server="srv1"):
    """What matters of the rows for bytes read."""
    return [
        (r["from_kind"], r["from_value"], r["to_kind"], r["to_value"], r["counted"], r["note"])
        for r in rows
        if r["counter"] == "read_bytes" and r["server"] == server
    ]


def test_each_life_has_its_readings_and_they_add_up(tmp_path):
    """Where counting began, the last reading, what was counted in between, and how the life began and ended."""
    record(tmp_path)
    warehouse = Warehouse(tmp_path)
    rows = explain(warehouse)
    assert read_rows(rows) == [("read", 700, "read", 704, 4, "unread"), ("zero", 0, "final", 77, 77, "born, final")]
    figures = {r["who"]: r for r in usage.ask(warehouse).to_pylist()}
    for server, figure in figures.items():
        mine = [r for r in rows if r["server"] == server]
        for counter in ("read_bytes", "written_bytes", "calls"):
            assert sum(r["counted"] for r in mine if r["counter"] == counter) == figure[counter]
    (lost,) = [r for r in rows if r["counter"] == "read_bytes" and "unread" in r["note"]]
    assert (lost["quality"], lost["counted_max"] > lost["counted"]) == ("bounded", True)


def test_a_span_names_the_readings_around_it(tmp_path):
    """The last one before it and the first one after it: what lies between is cut by time."""
    record(tmp_path)
    span = TEN + timedelta(seconds=15), TEN + timedelta(seconds=32)
    rows = explain(Warehouse(tmp_path), *span, server="srv2")
    assert {r["server"] for r in rows} == {"srv2"}
    assert read_rows(rows, "srv2") == [("read", 5, "read", 20, 9, "cut")]
    assert rows[0]["from"] == TEN + timedelta(seconds=10)
    assert rows[0]["to"] == TEN + timedelta(seconds=40)
    assert rows[0]["readings"] == 2


def test_expired_readings_are_told_and_usage_remains(tmp_path):
    """The figure stands though nobody can show its readings any more."""
    recorder = record(tmp_path)
    for days in (2, 3):
        recorder.rotate()
        recorder.cycle({recorder.alive["nfsd"][0]: {"read_bytes": 100}}, seconds=days * 86_400)
    tree = Tree(tmp_path, "nas1")
    for _ in range(3):
        keep(tree, (TEN + timedelta(days=30)).timestamp(), Rules({"readings": 40, "usage": 400}, -1e12))
    warehouse = Warehouse(tmp_path)
    before = explain(warehouse)
    for relation in tree.relations():
        if relation.kind == "readings":
            for segment in shelf(relation.folder).visible:
                segment.path.unlink()
    rows = explain(warehouse)
    assert [r["counted"] for r in rows] == [r["counted"] for r in before]
    assert {r["note"] for r in rows if r["server"] == "srv1"} == {"expired"}
    assert {r["from_value"] for r in rows if r["server"] == "srv1"} == {None}
