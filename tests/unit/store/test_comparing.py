"""The check: what contradicts something else in the store is found, and what agrees is not."""

import shutil

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from stores import GO, at, bigger, columns, faults, record, rewrite, segment

from nasacct.store.check.whole import check
from nasacct.store.keep import keep
from nasacct.store.schema import NFSD
from nasacct.store.tree import Tree


@pytest.mark.parametrize(
    "change",
    [
        bigger,
        lambda t: bigger(t, "cycles"),
        lambda t: columns(t, "calls_more", pa.array([1] * len(t))),
        lambda t: columns(t, "read_bytes", pa.array([None, *t.column("read_bytes").to_pylist()[1:]], pa.int64())),
        lambda t: bigger(bigger(t, "read_bytes", 5), "read_bytes", -5).slice(1),
        lambda t: columns(t, "t1", pc.add(t.column("t0"), pa.scalar(1, pa.duration("us")))),
        lambda t: columns(
            t, "read_bytes", pa.array([b + (-1) ** i for i, b in enumerate(t["read_bytes"].to_pylist())])
        ),
    ],
    ids=["value", "cycles", "bound", "unknown", "row", "time", "moved"],
)
def test_usage_that_is_not_what_its_readings_give_is_found(store, change):
    """Whoever changes a value and makes checksum, digest and footer anew: made again of the readings it is another."""
    path = rewrite(segment(store), change)
    found = [f for f in check(store).findings if f.kind == "telescoping"]
    assert {f.path for f in found} == {path}
    assert "server srv" in found[0].sentence


def test_readings_that_were_changed_are_found(store):
    """The usage is then not what they give."""
    rewrite(segment(store, "readings"), bigger)
    assert "telescoping" in {kind for kind, _ in faults(store)}


@pytest.mark.parametrize("step", ["5m", "1h", "1d"])
def test_sums_that_are_not_those_of_usage_are_found(store, step):
    """Each step is compared with usage itself."""
    path = rewrite(segment(store, step), bigger)
    found = faults(store)
    assert ("rollup", path.name) in found
    assert {kind for kind, _ in found} == {"rollup"}
    rewrite(path, lambda t: t.slice(1))
    assert "rollup" in {kind for kind, _ in faults(store)}


def test_steps_are_compared_when_usage_is_gone(store):
    """An hour's sums are those of its five minutes, a day's those of its hours."""
    for kind in ("usage", "readings"):
        shutil.rmtree(Tree(store, "nas1").folder / kind)
    assert faults(store) == []
    for step, blamed in (("1h", {"1h", "1d"}), ("5m", {"1h"}), ("1d", {"1d"})):
        path = segment(store, step)
        content = path.read_bytes()
        changed = rewrite(path, bigger)
        assert {f.path.parent.parent.name for f in check(store).findings} == blamed
        changed.unlink()
        path.write_bytes(content)


def test_what_is_missing_is_found(store):
    """A day's usage of which there are readings or sums, a step's sums of which there is usage or another step."""
    tree = Tree(store, "nas1")
    usage, hours = segment(store), segment(store, "1h")
    kept = usage.read_bytes(), hours.read_bytes()
    usage.unlink()
    assert ("missing", "nfsd") in faults(store)
    usage.write_bytes(kept[0])
    hours.unlink()
    assert ("missing", usage.name) in faults(store)
    shutil.rmtree(tree.folder / "usage")
    shutil.rmtree(tree.folder / "readings")
    assert ("missing", "nfsd") in faults(store)
    hours.write_bytes(kept[1])
    assert faults(store) == []


def test_usage_in_the_middle_that_is_gone_is_not_taken_for_old(tmp_path):
    """What is older than all that is left was dropped for its age; a hole between is told."""
    store = tmp_path / "store"
    recorder = record(store, start="2026-11-20T23:30:00+00:00", minutes=40)
    things = list(recorder.alive["nfsd"])
    for day in range(5):
        recorder.rotate()
        recorder.cycle({t: {"read_bytes": 10**6 + day} for t in things}, seconds=80_000)
        recorder.cycle({t: {"read_bytes": 10**6 + day + 1} for t in things}, seconds=60)
    tree = Tree(store, "nas1")
    for _ in range(3):
        keep(tree, at("2026-11-26"), GO)
    assert faults(store) == []
    usage = sorted(tree.relation("usage", NFSD).folder.iterdir())
    assert len(usage) == 5
    for kind in ("usage", "readings"):
        min(tree.relation(kind, NFSD).folder.iterdir()).unlink()
    assert faults(store) == []
    for kind in ("usage", "readings"):
        sorted(tree.relation(kind, NFSD).folder.iterdir())[1].unlink()
    found = [f for f in check(store).findings if f.path.name == "nfsd"]
    assert {f.kind for f in found} == {"missing"}
    assert "usage of 2026-11-2" in found[0].sentence


@pytest.mark.parametrize("values", [200, 10**9])
def test_memory_is_bounded_whatever_a_day_holds(store, values, monkeypatch):
    """Rows are compared in slices of keys; the result is the same."""
    from nasacct.store.check import groups

    monkeypatch.setattr(groups, "VALUES", values)
    assert faults(store) == []
    path = rewrite(segment(store, "1h"), bigger)
    assert ("rollup", path.name) in faults(store)
