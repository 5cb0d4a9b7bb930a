"""Repair: what can be made again is what it was, what cannot is told, and what is no good lies in the quarantine."""

import shutil

import pyarrow as pa
import pytest
from journals import Recorder
from stores import GO, STAY, at, bigger, faults, record, rewrite, segment

from nasacct.store import journal
from nasacct.store.check.repair import repair
from nasacct.store.keep import keep
from nasacct.store.schema import NFSD
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

NOW = at("2026-11-26")
ASKED = "SELECT * EXCLUDE (node) FROM {} ORDER BY ALL"
SUMS = {"nfsd", "nfsd_5m", "nfsd_1h", "nfsd_1d"}


def answers(where):
    """All rows of usage and of sums, whatever files they lie in."""
    warehouse = Warehouse(where)
    return {view: warehouse.query(ASKED.format(view), views=[view]).to_pylist() for view in SUMS}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two stores, one with what was replaced still there and one without it, and what they answer."""
    stay, gone = (tmp_path_factory.mktemp(name) / "store" for name in ("stay", "gone"))
    record(stay)
    shutil.copytree(stay, gone)
    assert keep(Tree(stay, "nas1"), NOW, STAY) == 0
    for _ in range(3):
        assert keep(Tree(gone, "nas1"), NOW, GO) == 0
    assert answers(stay) == answers(gone)
    return {"stay": stay, "gone": gone, "answers": answers(stay)}


@pytest.fixture
def store(made, tmp_path):
    """A copy of the store in which nothing but what is needed is left."""
    return shutil.copytree(made["gone"], tmp_path / "store")


def mended(where):
    """What repairing did, by kind."""
    return [f.kind for f in repair(Tree(where, "nas1"), NOW, STAY)]


def flip(path):
    """Damage one page."""
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(("which", "kind"), [("stay", "usage"), ("gone", "usage"), ("gone", "5m"), ("gone", "1d")])
def test_what_was_made_of_others_is_made_again(made, tmp_path, kind, which):
    """A damaged file is put aside: its inputs are seen again, else it is made of readings or usage."""
    store = shutil.copytree(made[which], tmp_path / "store")
    path = segment(store, kind)
    flip(path)
    assert "put aside" in mended(store)
    assert faults(store) == [("quarantine", path.name)]
    assert answers(store) == made["answers"]
    assert mended(store) == []


@pytest.mark.parametrize("kind", ["usage", "1h"])
def test_what_is_missing_is_made_again(made, store, kind):
    """Usage of its readings, sums of usage; by the keeper alone where that is enough."""
    segment(store, kind).unlink()
    assert "missing" in {k for k, _ in faults(store)}
    mended(store)
    assert faults(store) == []
    assert answers(store) == made["answers"]


@pytest.mark.parametrize(
    "change",
    [bigger, lambda t: t.slice(2), lambda t: pa.concat_tables([t.slice(0, 9), t.slice(8)]).sort_by("t0")],
    ids=["value", "rows", "twice"],
)
def test_usage_that_was_changed_is_made_again(made, store, change):
    """The readings are the evidence, whatever digest and checksums say."""
    rewrite(segment(store), change)
    assert "rebuilt" in mended(store)
    assert faults(store) == []
    assert answers(store) == made["answers"]


@pytest.mark.parametrize("step", ["5m", "1d"])
def test_sums_that_were_changed_are_made_again(made, store, step):
    """What was wrong lies in the quarantine."""
    path = rewrite(segment(store, step), bigger)
    assert mended(store) == ["rebuilt"]
    assert faults(store) == [("quarantine", path.name)]
    assert answers(store) == made["answers"]


def test_usage_and_sums_that_were_changed_alike_are_made_again(made, store):
    """Wrong usage that was summed: usage comes first, then the sums do not agree and come too."""
    tree = Tree(store, "nas1")
    readings = shutil.copytree(tree.folder / "readings", store.parent / "readings")
    shutil.rmtree(tree.folder / "readings")
    shutil.rmtree(tree.folder / "rollup")
    rewrite(segment(store), lambda t: bigger(t, by=1000))
    keep(tree, NOW, STAY)
    shutil.rmtree(tree.folder / "readings")
    shutil.move(readings, tree.folder / "readings")
    assert answers(store) != made["answers"]
    mended(store)
    assert answers(store) == made["answers"]
    assert {kind for kind, _ in faults(store)} == {"quarantine"}


def test_what_lies_in_the_wrong_place_is_moved_back(made, store):
    """Renamed files and files in another stream's folder, when their own words and digest say where they belong."""
    tree = Tree(store, "nas1")
    usage = segment(store)
    usage.rename(tree.relation("usage", NFSD).folder.parent / "node" / usage.name)
    hours = segment(store, "1h")
    hours.rename(hours.with_name(hours.name.replace("20261123T23", "20261122T23")))
    assert sorted(mended(store)) == ["moved back"] * 2
    assert faults(store) == []
    assert usage.exists()
    assert hours.exists()
    assert answers(store) == made["answers"]


def test_rows_out_of_order_are_sorted(made, store):
    """By a segment of the same rows, also where nothing could be made again."""
    shutil.rmtree(Tree(store, "nas1").folder / "readings")
    path = rewrite(segment(store), lambda t: t.take(list(range(len(t)))[::-1]))
    assert mended(store) == ["sorted"]
    keep(Tree(store, "nas1"), NOW, GO)
    assert not path.exists()
    assert faults(store) == []
    assert answers(store) == made["answers"]


def test_what_is_lost_for_good_is_told(made, store):
    """Without readings a damaged day of usage is lost; its sums are kept, and each check says so."""
    shutil.rmtree(Tree(store, "nas1").folder / "readings")
    path = segment(store)
    flip(path)
    sums = answers(store)["nfsd_1h"]
    assert mended(store) == ["put aside"]
    assert ("quarantine", path.name) in faults(store)
    assert answers(store)["nfsd_1h"] == sums == made["answers"]["nfsd_1h"]
    assert mended(store) == []


def test_readings_that_are_damaged_go_and_usage_stays(made, store):
    """Nothing is made of usage that is sound."""
    path = segment(store, "readings")
    flip(path)
    assert mended(store) == ["put aside"]
    assert faults(store) == [("quarantine", path.name)]
    assert answers(store) == made["answers"]


def test_foreign_and_changed_files_are_put_aside(made, tmp_path):
    """What is left over goes, what is no file of a store or not what was kept lies in the quarantine."""
    store = shutil.copytree(made["stay"], tmp_path / "store")
    tree = Tree(store, "nas1")
    changed = journal.files(tree.journal)[2]
    changed.write_bytes(changed.read_bytes()[:-9])
    foreign = [tree.folder / "notes", segment(store).with_name("a.parquet"), tree.journal / "old"]
    left = [segment(store).with_name(".day.parquet.tmp"), tree.journal / ".x.tmp"]
    for path in (*foreign, *left):
        path.write_text("?")
    assert sorted(mended(store)) == ["put aside"] * 4 + ["removed"]
    assert sorted(faults(store)) == sorted(("quarantine", p.name) for p in (*foreign, changed))
    assert answers(store) == made["answers"]


def test_a_damaged_journal_file_is_bridged_by_the_keeper(tmp_path):
    """As at any run of it."""
    store = tmp_path / "store"
    record(store)
    tree = Tree(store, "nas1")
    path = journal.files(tree.journal)[2]
    path.write_bytes(b"NASJ1\n")
    mended(store)
    assert faults(store) == [("quarantine", path.name)]
    rows = Warehouse(store).query("SELECT sum(read_bytes)::BIGINT AS m FROM nfsd", views=["nfsd"]).to_pylist()
    assert rows[0]["m"]


@pytest.mark.parametrize("kind", ["usage", "readings"])
def test_what_stood_before_a_bridged_file_is_made_again_as_it_was(tmp_path, kind):
    """Though it was kept before the next file rotted, and that one has been put aside: nothing counts twice."""
    store = tmp_path / "store"
    recorder = Recorder(store)
    server = recorder.thing("nfsd", server="srv1")
    tree = Tree(store, "nas1")
    for n in range(40):
        if n and n % 10 == 0:
            recorder.rotate()
        if n in (15, 35):
            assert keep(tree, 0, STAY) == 0
        if n == 25:
            path = journal.files(tree.journal)[1]
            path.write_bytes(b"NASJ1\n")
        recorder.cycle({server: {"read_bytes": 1000 * n}})
    before = answers(store)
    flip(segment(store, kind))
    mended(store)
    assert {kind for kind, _ in faults(store)} == {"quarantine"}
    after = answers(store)
    assert after["nfsd"] == before["nfsd"]
    # several rollups of one cell add up
    assert {sum(row["read_bytes"] for row in rows) for rows in after.values()} == {39_000}


def test_duplicated_segments_are_mended(made, store):
    """A copy of all is put aside; where a part is there twice, the readings tell what it is."""
    path = segment(store)
    other = path.with_name(path.name.replace("day", "hour"))
    shutil.copy(path, other.with_name("copy"))
    other = rewrite(other.with_name("copy").rename(other), lambda t: t, level="hour")
    mended(store)
    assert {kind for kind, _ in faults(store)} <= {"quarantine"}
    assert answers(store) == made["answers"]


def test_columns_of_a_wrong_type_are_put_aside(made, store):
    path = segment(store)

    def change(table):
        i = table.schema.get_field_index("calls")
        return table.set_column(i, "calls", table.column("calls").cast(pa.float64()))

    bad = rewrite(path, change)
    assert mended(store) == ["put aside", "rebuilt"]
    assert faults(store) == [("quarantine", bad.name)]
    assert answers(store) == made["answers"]
