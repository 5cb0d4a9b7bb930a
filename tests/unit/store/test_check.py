"""The check: each kind of damage, made for real, is found where it is, and a sound store has none."""

import shutil

import pyarrow as pa
import pytest
from journals import Recorder
from stores import GO, STAY, at, columns, faults, rewrite, same, segment

from nasacct.errors import NasacctError
from nasacct.store import journal, root
from nasacct.store.check.whole import check
from nasacct.store.heads import heads
from nasacct.store.keep import keep
from nasacct.store.schema import NODE
from nasacct.store.seals import seal
from nasacct.store.tree import Tree


@pytest.mark.parametrize("name", ["journal", "parts", "hours", "days", "merged"])
def test_a_sound_store_has_no_fault_whatever_was_made_of_it(states, name):
    """Only journal files; parts; hours; days and rollups; all of it with what was replaced gone."""
    report = check(states[name])
    assert report.findings == []
    assert report.files == len(list(states[name].rglob("*.journal"))) + len(list(states[name].rglob("*.parquet")))
    assert (report.rows > 0) == (name != "journal")


def test_a_check_writes_nothing(store):
    """Names, contents and times of all files are as before, also when something is wrong."""
    segment(store).write_bytes(b"torn")
    before = {p: (p.stat().st_mtime_ns, p.is_file() and p.read_bytes()) for p in store.rglob("*")}
    assert faults(store)
    assert {p: (p.stat().st_mtime_ns, p.is_file() and p.read_bytes()) for p in store.rglob("*")} == before


@pytest.mark.parametrize("kind", ["usage", "readings", "5m", "1h", "1d"])
def test_a_flipped_bit_is_found(store, kind):
    """In any kind of segment, also where Parquet itself does not notice."""
    path = segment(store, kind)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)
    assert ("damaged", path.name) in faults(store)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not Parquet at all"], ids=["empty", "torn", "foreign"])
def test_a_file_that_is_no_segment_any_more_is_found(store, content):
    path = segment(store)
    path.write_bytes(content)
    assert ("damaged", path.name) in faults(store)


def test_a_truncated_journal_and_one_without_a_head_are_found(states, tmp_path):
    """The one loses what follows, which is bridged, the other all; a flipped bit in any is found."""
    store = shutil.copytree(states["journal"], tmp_path / "store")
    torn, headless, flipped = journal.files(Tree(store, "nas1").journal)[1:4]
    torn.write_bytes(torn.read_bytes()[:-3])
    headless.write_bytes(headless.read_bytes()[:40])
    content = bytearray(flipped.read_bytes())
    content[-20] ^= 1
    flipped.write_bytes(content)
    assert faults(store) == [("torn", torn.name), ("damaged", headless.name), ("torn", flipped.name)]


def test_a_head_that_was_kept_aside_is_looked_at(states, tmp_path):
    """The keeper copies it before it makes anything of the torn file before; a damaged copy is found."""
    store = shutil.copytree(states["journal"], tmp_path / "store")
    tree = Tree(store, "nas1")
    torn = journal.files(tree.journal)[1]
    torn.write_bytes(torn.read_bytes()[:-3])
    assert keep(tree, at("2026-11-23 23:40"), STAY) == 0
    (head,) = heads(tree.journal)
    assert head.stem == journal.files(tree.journal)[2].stem
    assert faults(store) == [("torn", torn.name)]
    head.write_bytes(head.read_bytes()[:-3])
    assert faults(store) == [("torn", torn.name), ("damaged", head.name)]


def test_what_a_collector_is_writing_is_no_fault(states, tmp_path):
    """The end of the newest file while it runs; the same file without a collector is torn."""
    store = shutil.copytree(states["journal"], tmp_path / "store")
    newest = journal.files(Tree(store, "nas1").journal)[-1]
    newest.write_bytes(newest.read_bytes()[:-3])
    assert faults(store) == [("torn", newest.name)]
    (newest.parent / ".head.tmp").write_bytes(b"NASJ1")
    assert ("leftover", ".head.tmp") in faults(store)
    with root.lock(store, "nas1", "collect"):
        assert faults(store) == []


def test_swapped_and_renamed_files_are_found(states, tmp_path):
    """Footers and heads say where a file belongs: node, kind, stream, level, time."""
    store = shutil.copytree(states["merged"], tmp_path / "store")
    usage = segment(store)
    moved = usage.rename(segment(store, "usage", NODE).with_name(usage.name))
    assert ("footer", moved.name) in faults(store)
    moved.rename(usage)
    renamed = usage.rename(usage.with_name(usage.name.replace("20261123T23", "20261123T21")))
    assert ("footer", renamed.name) in faults(store)
    renamed.rename(usage)
    files = journal.files(Tree(store, "nas1").journal)
    moved = files[-1].rename(files[-1].with_name(files[-1].name.replace("00000006", "00000007").replace("Z-0", "Z-1")))
    assert ("footer", moved.name) in faults(store)


def test_a_tree_of_another_node_is_found(store):
    """A folder that was renamed: every file says whose it is."""
    (store / "node=nas1").rename(store / "node=nas2")
    kinds = {f.kind for f in check(store).findings}
    assert kinds == {"footer"}
    assert len(faults(store)) >= len(list(store.rglob("*.parquet")))


@pytest.mark.parametrize(
    ("change", "said", "kind"),
    [
        (lambda t: t.slice(1), {"rows": 1}, "footer"),
        (same, {"to": "2026-11-23T23:20:00.000000Z"}, "footer"),
        (same, {"node": "nas2"}, "footer"),
        (same, {"level": "hour"}, "footer"),
        (same, {"stream": "links"}, "footer"),
        (same, {"kind": "readings"}, "footer"),
        (same, {"format": 2}, "newer"),
        (lambda t: columns(t, "node", pa.array(["nas2"] * len(t))), {}, "footer"),
        (lambda t: t.drop_columns(["t1"]), {}, "schema"),
        (lambda t: columns(t, "epoch", pa.nulls(len(t), pa.string())), {}, "schema"),
        (lambda t: t.rename_columns([{"calls": "t9", "t9": "calls"}.get(n, n) for n in t.column_names]), {}, None),
        (lambda t: t.append_column("later", pa.array([1] * len(t))), {}, None),
        (lambda t: t.take(list(range(len(t)))[::-1]), {}, "order"),
        (lambda t: pa.concat_tables([t.slice(0, 30), t.slice(29)]), {}, "duplicate"),
    ],
    ids="rows time node level stream kind format others lacks null older newer order duplicate".split(),
)
def test_what_a_sound_file_says_wrongly_is_found(store, change, said, kind):
    """With checksums and a digest that are right: only content and footer do not agree.

    Columns that older files lack or newer ones have more are no fault.
    """
    path = rewrite(segment(store), change, **said)
    found = {k for k, name in faults(store) if name == path.name}
    assert kind in found if kind else found <= {"telescoping"}


def test_a_column_of_another_type_is_found(store):
    def change(table):
        i = table.schema.get_field_index("calls")
        return table.set_column(i, "calls", table.column("calls").cast(pa.float64()))

    path = rewrite(segment(store), change)
    assert ("schema", path.name) in faults(store)


def test_two_segments_of_one_journal_file_are_found(store):
    """As when a keeper's work of a copy was copied back."""
    path = segment(store)
    copy = shutil.copy(path, path.with_name("copy"))
    other = rewrite(copy.rename(path.with_name(path.name.replace("day", "hour"))), same, level="hour")
    assert "duplicate" in {k for k, _ in faults(store)}
    other.unlink()


def test_a_journal_file_that_is_not_what_was_kept_is_found(states, tmp_path):
    """Nothing of it counts, for a segment stands for it."""
    store = shutil.copytree(states["days"], tmp_path / "store")
    path = journal.files(Tree(store, "nas1").journal)[2]
    path.write_bytes(path.read_bytes()[:-5])
    assert {("torn", path.name), ("changed", path.name)} <= set(faults(store))


def test_what_does_not_belong_there_is_found(store):
    """Foreign files and folders anywhere, what a killed program left, and what lies in the quarantine."""
    tree = Tree(store, "nas1")
    made = {
        "foreign": [
            store / "notes",
            tree.folder / "more",
            tree.journal / "x.journal",
            segment(store).with_name("a.parquet"),
        ],
        "leftover": [
            store / ".store.json.tmp",
            segment(store).with_name(".day.parquet.tmp"),
            tree.folder / ".keep.json.tmp",
        ],
        "quarantine": [tree.quarantine / "day-1.parquet"],
    }
    tree.quarantine.mkdir()
    for path in [p for paths in made.values() for p in paths]:
        path.write_text("?")
    (tree.folder / "usage" / "strange").mkdir()
    assert sorted(faults(store)) == sorted([(k, p.name) for k, v in made.items() for p in v] + [("foreign", "strange")])
    with root.lock(store, "nas1", "keep"):
        left = {name for kind, name in faults(store) if kind == "leftover"}
    assert left == {".store.json.tmp"}


def test_what_cannot_be_read_now_is_told_as_that(store):
    """A system error says nothing of the content."""
    path = segment(store)
    path.unlink()
    path.symlink_to(path)
    assert [k for k, name in faults(store) if name == path.name] == ["unreadable"]


def test_files_that_go_meanwhile_are_no_fault(states, tmp_path, monkeypatch):
    """A keeper merges and deletes while the check reads; what came instead is checked as well."""
    store = shutil.copytree(states["parts"], tmp_path / "store")
    tree = Tree(store, "nas1")
    from nasacct.store.check import shelves

    examine, runs = shelves.examine, []

    def merged_meanwhile(segment, *place):
        if segment.level == "part" and not runs:
            runs.append(keep(tree, at("2026-11-26"), GO))
        return examine(segment, *place)

    monkeypatch.setattr(shelves, "examine", merged_meanwhile)
    report = check(store)
    assert report.findings == []
    assert runs == [0]
    assert report.rows


def test_sources_that_come_and_go_from_file_to_file_are_no_fault(tmp_path):
    """How a source fared is told from cycle to cycle of one file, also when that has a single one."""
    recorder = Recorder(tmp_path, start="2026-10-05T10:00:00+00:00", interval_s=60)
    disk, server = recorder.thing("disks", disk="a", device="8:0"), recorder.thing("nfsd", server="srv1")
    for what in ({disk: {}}, {server: {}, disk: {}}, {disk: {}}):
        for _ in range(1 + len(what)):
            recorder.cycle(what)
        recorder.rotate()
    recorder.cycle({disk: {}})
    assert keep(Tree(tmp_path, "nas1"), at("2026-10-05T11:00:00"), STAY) == 0
    assert not check(tmp_path).findings


def test_a_client_whose_connections_end_where_two_files_meet_is_no_fault(tmp_path):
    """Within one millisecond, one connection in each file: the keeper, which has one file at a time, makes two rows."""
    recorder = Recorder(tmp_path, start="2026-10-05T10:00:00+00:00")
    each = [recorder.thing("clients", f"boot/a/{n}", server="a", client="c") for n in range(3)]

    def read(value):
        return {"received_bytes": value, "sent_bytes": value}

    recorder.cycle(dict.fromkeys(each, read(0)))
    recorder.cycle(dict.fromkeys(each, read(10)))
    for thing in each[:2]:
        recorder.final(thing, read(25), seconds=0.0001)
        recorder.rotate()
    for n in range(3):
        recorder.cycle({each[2]: read(30 + n)})
    recorder.rotate()
    recorder.cycle({each[2]: read(99)})
    assert keep(Tree(tmp_path, "nas1"), at("2026-10-05T11:00:00"), STAY) == 0
    assert not check(tmp_path).findings


def test_seals_are_part_of_the_store(store):
    """Their faults are found, and the digest of the last one is told."""
    first = seal(store, "2026-10", "UTC", "1", pa.table({"bytes": [1]}))
    second = seal(store, "2026-11", "UTC", "1", pa.table({"bytes": [2]}))
    report = check(store)
    assert (report.findings, report.months, report.head) == ([], 2, second.digest)
    first.path.chmod(0o640)
    first.path.write_bytes(first.path.read_bytes().replace(b"[1]", b"[9]"))
    assert faults(store) == [("seal", first.path.name)]


def test_a_store_of_a_newer_version_is_refused(store):
    (store / "store.json").write_text('{"nasacct_store": 2}')
    with pytest.raises(NasacctError, match="has version 2"):
        check(store)
