"""Where something changed hands, both sides stay exact when usage is deleted: rows around that moment are kept."""

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from journals import Recorder
from kept import record_days

from nasacct.errors import NasacctError
from nasacct.reports import steps, usage, usage_rows
from nasacct.store import cuts, inventory
from nasacct.store.check.whole import check
from nasacct.store.inventory import EVER, Statement
from nasacct.store.keep import Rules, keep
from nasacct.store.schema import NFSD
from nasacct.store.segments import named
from nasacct.store.shelf import shelf
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse
from nasacct.times import us

TEN, MIDNIGHT = datetime(2026, 11, 23, 10, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
END = TEN + timedelta(days=8)
#: Amid cycles of 10 s, and amid one of hours.
DENSE, SPARSE = datetime(2026, 11, 25, 4, 18, 7, tzinfo=UTC), datetime(2026, 11, 24, 12, 0, 7, tzinfo=UTC)
#: All is kept, what is replaced goes at once; then usage of all days but the last goes; then all of it.
STAYS = Rules({"readings": 40, "usage": 400}, grace_s=-1e12)
A_DAY, NO_DAY = ({"readings": days, "usage": days} for days in (1, -10))
LATER = (TEN + timedelta(days=30)).timestamp()
MOMENTS = st.integers(min_value=0, max_value=150 * 3600).map(lambda s: TEN + timedelta(seconds=s))


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    """A week with long gaps, ends without a last reading and a fall, all of it merged and summed."""
    where = tmp_path_factory.mktemp("days")
    record_days(where)
    for _ in range(2):
        keep(Tree(where, "nas1"), LATER, STAYS)
    return where


def told(root, edges):
    """What each server used between neighbouring edges."""
    warehouse = Warehouse(root)
    spans = [us(at) for at in edges]
    assert spans == sorted(spans)
    return [usage.ask(warehouse, "server", a, b).to_pylist() for a, b in pairwise(edges)]


def totals(sides):
    """What each server read on all sides."""
    rows = [row for side in sides for row in side]
    return {who: sum(r["read_bytes"] for r in rows if r["who"] == who) for who in {r["who"] for r in rows}}


def late(tree, moment):
    """Three journal files from around a moment are found again, and a collector goes on after all that there was."""
    for number, start, server in ((1, moment - timedelta(seconds=70), "late"), (2, END - timedelta(hours=1), "last")):
        where = tree.root.parent / server
        recorder = Recorder(where, start=start.isoformat(), run=f"{number}" * 32)
        thing = recorder.thing("nfsd", server=server)
        for i in range(14):
            if i == 5:
                recorder.rotate()
            recorder.cycle({thing: {"read_bytes": 100 * i}})
        recorder.rotate()
        recorder.cycle({thing: {"read_bytes": 1300}})
        for path in (where / "node=nas1" / "journal").iterdir():
            path.rename(tree.journal / path.name.replace("00000", f"0000{number}", 1))


def drop(root, moments, *rules):
    """Usage goes; what is around these moments stays."""
    at = [us(m) for m in moments]
    for days in rules:
        assert keep(Tree(root, "nas1"), LATER, Rules(days, -1e12, cuts=tuple(at))) == 0


def test_members_keep_their_parts_to_the_byte_when_usage_is_gone(days, tmp_path):
    """The inventory tells the moments, the keeper keeps what is around them."""
    root = tmp_path / "store"
    shutil.copytree(days, root)
    told = [("1001", EVER[0]), ("1002", us(DENSE)), ("1001", us(SPARSE)), ("1003", us(MIDNIGHT))]
    inventory.tell(root, [Statement("export", "x", at, {"server": "srv1", "member": m}, 1) for m, at in told])

    def by_member():
        return [row | {"as_of": None} for row in usage_rows.usage(root, "member", TEN - timedelta(hours=1), END)]

    before = by_member()
    assert {"1001", "1002", "1003"} <= {row["member"] for row in before}
    for rules in (A_DAY, NO_DAY):
        assert keep(Tree(root, "nas1"), LATER, Rules(rules, -1e12, cuts=cuts.known(root))) == 0
    assert by_member() == before


@settings(max_examples=10, deadline=None)
@given(moments=st.lists(MOMENTS, min_size=1, max_size=4, unique=True), at_once=st.booleans())
# around midnight a row's part lies in the next day's segment; an edge of 5 minutes needs nothing
@example(
    moments=[datetime(2026, 11, 23, 23, 59, 51, tzinfo=UTC), datetime(2026, 11, 24, 0, 0, 3, tzinfo=UTC)], at_once=False
)
@example(moments=[MIDNIGHT - timedelta(seconds=9), MIDNIGHT + timedelta(seconds=3)], at_once=False)
@example(moments=[MIDNIGHT, DENSE, SPARSE], at_once=True)
def test_both_sides_of_a_cut_stay_what_they_were(days, moments, at_once):
    """To the byte, with the same bounds and qualities; and sides add up to the whole."""
    moments.sort()
    edges = [TEN, *(m for m in moments if m > TEN), END]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "store"
        shutil.copytree(days, root)
        before = told(root, edges)
        drop(root, moments, *([NO_DAY] if at_once else [A_DAY, NO_DAY]))
        tree = Tree(root, "nas1")
        # what the newest journal file continues is never old
        assert len(shelf(tree.relation("usage", NFSD).folder).visible) == 1
        assert told(root, edges) == before
        kept = shelf(tree.cuts(NFSD).folder).visible
        assert sorted(c for said in kept.values() for c in said.cells) == cuts.cells(map(steps.us, moments))
        assert [str(f) for f in check(root).findings] == []


def test_what_was_cut_after_its_usage_went_is_cut_by_time(days, tmp_path):
    """The truth lies within the bounds then."""
    shutil.copytree(days, tmp_path / "store")
    edges = [TEN, DENSE, END]
    before = told(tmp_path / "store", edges)
    drop(tmp_path / "store", [], NO_DAY)
    drop(tmp_path / "store", edges[1:2], NO_DAY)
    after = told(tmp_path / "store", edges)
    assert after != before
    for one, other in zip(before, after, strict=True):
        for exact, row in zip(one, other, strict=True):
            assert row["read_bytes_max"] >= exact["read_bytes"]
    assert totals(after) == totals(before)


def test_a_run_that_was_killed_before_it_deleted_repeats_nothing(days, tmp_path):
    """The rows of a segment that is still there are taken once."""
    shutil.copytree(days, tmp_path / "store")
    tree, moment = Tree(tmp_path / "store", "nas1"), DENSE
    visible = shelf(tree.relation("usage", NFSD).folder).visible
    before = told(tree.root, [TEN, moment, END])
    for _ in range(2):
        for segment in visible:
            cuts.keep_around(tree, NFSD, segment, visible, [us(moment)])
    assert len(shelf(tree.cuts(NFSD).folder).visible) == 1
    # as long as there is usage, that is asked
    assert told(tree.root, [TEN, moment, END]) == before
    drop(tree.root, [moment], NO_DAY)
    assert told(tree.root, [TEN, moment, END]) == before


def test_usage_that_comes_late_joins_what_is_kept(days, tmp_path):
    """Of another node's clock or a journal file that was found again: it is summed, then its rows are kept as well."""
    shutil.copytree(days, tmp_path / "store")
    tree, moment = Tree(tmp_path / "store", "nas1"), DENSE
    edges = [TEN, moment, END]
    drop(tree.root, [moment], NO_DAY)
    late(tree, moment)
    before = told(tree.root, edges)
    assert [[r["read_bytes"] for r in side if r["who"] == "late"] for side in before] == [[700], [600]]
    drop(tree.root, [moment], NO_DAY, NO_DAY)
    assert told(tree.root, edges) == before
    kept = shelf(tree.cuts(NFSD).folder).visible
    # of the day, and of what came late
    assert [len(said.of) > 1 for said in kept.values()] == [True]


@pytest.mark.parametrize("moment", [DENSE, MIDNIGHT + timedelta(seconds=-9)], ids=["in a day", "of two days"])
def test_usage_that_is_gone_in_part_is_not_taken_for_all(days, tmp_path, caplog, moment):
    """When half of the 5 minutes was dropped before anybody knew of the cut, their sums tell, and the log says so."""
    shutil.copytree(days, tmp_path / "store")
    tree = Tree(tmp_path / "store", "nas1")
    edges = [TEN, moment, END]
    drop(tree.root, [], NO_DAY)
    late(tree, moment)
    before = totals(told(tree.root, edges))
    assert before["late"] == 1300
    drop(tree.root, [moment], NO_DAY, NO_DAY)
    assert "is gone in part" in caplog.text
    assert not shelf(tree.cuts(NFSD).folder).visible
    assert totals(told(tree.root, edges)) == before


def test_the_store_remembers_every_moment_once(tmp_path):
    """They are kept in order, and another version's list is refused in a sentence."""
    Recorder(tmp_path)
    assert cuts.known(tmp_path) == ()
    cuts.know(tmp_path, [7, 3])
    cuts.know(tmp_path, [3, 5])
    assert cuts.known(tmp_path) == (3, 5, 7)
    assert (tmp_path / "cuts.json").read_text() == '{"nasacct_cuts":1,"moments":[3,5,7]}\n'
    (tmp_path / "cuts.json").write_text('{"nasacct_cuts":2}')
    with pytest.raises(NasacctError, match=r"cuts.json is of version 2"):
        cuts.known(tmp_path)
    (tmp_path / "cuts.json").write_text('{"nasacct_cuts":1,"moments":7}')
    with pytest.raises(NasacctError, match=r"is no list of cuts"):
        cuts.know(tmp_path, [1])


def test_the_check_finds_kept_rows_that_are_not_all(days, tmp_path):
    """Rows around a cut are compared with their sums."""
    shutil.copytree(days, tmp_path / "store")
    tree, moment = Tree(tmp_path / "store", "nas1"), DENSE
    drop(tree.root, [moment], NO_DAY)
    kept = next(iter(shelf(tree.cuts(NFSD).folder).visible))
    assert named(kept.path) == kept
    for sums in shelf(tree.rollup("5m", NFSD).folder).visible:
        sums.path.unlink()
    assert ("cut", kept.name) in [(f.kind, f.path.name) for f in check(tree.root).findings]
