"""Copies, pulled by rsync from a folder of this machine; tests/system/test_pull.py does it over ssh."""

import threading
import time
from datetime import UTC, date, datetime, timedelta

import pytest
from copying import AT_ONCE, DAYS, KEPT, NFSD, START, Source, asked, files, summed

from nasacct.errors import NO_INPUT, NasacctError
from nasacct.reports.usage_rows import usage
from nasacct.store import addresses, inventory, journal, judged, judgements, notes
from nasacct.store.check.whole import check
from nasacct.store.copies import copied
from nasacct.store.expiry import Rules
from nasacct.store.inventory import EVER, Statement
from nasacct.store.pulling.stage import Stage
from nasacct.store.root import hold
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse


def test_copy_is_the_source(tmp_path, pulled):
    """Every file but locks and notes comes over as it is; a second round brings nothing, and a third what is new."""
    source = Source(tmp_path / "source").run(40).keep().run(10)
    pull = pulled(source)
    pull.round()
    assert files(tmp_path / "copy") == files(source.root)
    assert asked(tmp_path / "copy") == source.truth
    assert not list((tmp_path / "copy").glob("**/collect.lock")) + list((tmp_path / "copy").glob("**/keep.json"))
    before = pull.files, pull.bytes
    pull.round()
    assert (pull.files, pull.bytes) == before
    source.run(30).keep()
    pull.round()
    assert files(tmp_path / "copy") == files(source.root)
    assert asked(tmp_path / "copy") == source.truth


def test_nodes_of_two_sources_become_one_store(tmp_path, pulled):
    """Each source's trees are copied beside the other's; its files lacking there deletes nothing of another's."""
    first, second = Source(tmp_path / "a").run(20).keep(), Source(tmp_path / "b", "nas2").run(31).keep()
    pulls = [pulled(first, AT_ONCE), pulled(second, AT_ONCE)]
    for _ in range(2):
        for pull in pulls:
            pull.round()
    assert files(tmp_path / "copy") == files(first.root) | files(second.root)
    assert asked(tmp_path / "copy", node="nas1") == first.truth
    assert asked(tmp_path / "copy", node="nas2") == second.truth
    mark = copied(tmp_path / "copy" / "node=nas2")
    assert mark is not None
    assert mark.source == str(second.root)


def test_only_the_node_that_was_asked_for(tmp_path, pulled):
    """--node takes one tree; a node that the source lacks is told with those it has."""
    source = Source(tmp_path / "source").run(3)
    Source(tmp_path / "source", "nas2").run(3)
    pulled(source, node="nas2").round()
    assert {t.name for t in (tmp_path / "copy").glob("node=*")} == {"node=nas2"}
    with pytest.raises(NasacctError, match="holds no node nas3; it holds: nas1, nas2") as caught:
        pulled(source, node="nas3").round()
    assert caught.value.status == NO_INPUT


@pytest.mark.parametrize("missed", [1, 300])
def test_round_after_a_gap_is_right_at_every_rename(tmp_path, pulled, monkeypatch, missed):
    """However much was written, compacted and deleted since the last round, no state in between is wrong."""
    source = Source(tmp_path / "source").run(50).keep()
    pull = pulled(source, AT_ONCE)
    pull.round()
    source.run(missed).keep(KEPT).keep(AT_ONCE)
    copy = Warehouse(tmp_path / "copy")
    seen = []

    def look():
        (row,) = copy.query(NFSD, views=["nfsd"]).to_pylist()
        seen.append((row["until"], row["m"]))
        # rollups may be ahead, but never count anything twice
        assert row["m"] <= summed(copy) <= source.truth[1]

    letting_in = Stage.let_in

    def watched(self, some):
        for file in some:
            letting_in(self, [file])
            look()

    monkeypatch.setattr(Stage, "let_in", watched)
    pull._fresh.clear()  # as after a long time
    pull.round()
    look()
    assert seen[-1] == source.truth
    begun = int(datetime.fromisoformat(START).timestamp() * 1e6)
    assert [m for _, m in seen] == [2000 * ((until - begun) // 60_000_000) for until, _ in seen]


def test_source_that_is_written_and_kept_meanwhile(tmp_path, pulled):
    """While a source runs, compacts and deletes, each of a reader's answers is what was true up to its newest data."""
    source = Source(tmp_path / "source", start="2026-11-20T00:00:00+00:00").run(50)
    begun = source.recorder.now.wall_ns // 1000 - 49 * 60_000_000
    rules = Rules(DAYS, grace_s=4)
    pull = pulled(source, rules, source_grace_s=4)
    pull.round()
    stop, wrong, answers = threading.Event(), [], 0

    def work():
        while not stop.is_set():
            source.run(20)
            source.keep(rules)

    def read():
        nonlocal answers
        copy = Warehouse(tmp_path / "copy")
        while not stop.is_set():
            (row,) = copy.query(NFSD, views=["nfsd"]).to_pylist()
            days = summed(copy)
            if row["m"] != 2000 * ((row["until"] - begun) // 60_000_000) or not row["m"] <= days <= source.truth[1]:
                wrong.append((row, days))
            answers += 1

    threads = [threading.Thread(target=work), threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    try:
        until = time.monotonic() + 12
        rounds = 0
        while time.monotonic() < until:
            pull.round()
            rounds += 1
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    pull.round()
    assert wrong == []
    assert answers > 20
    assert rounds > 2
    assert asked(tmp_path / "copy") == source.truth


def test_growth_is_appended_and_never_seen_behind_a_gap(tmp_path, pulled):
    """The newest journal file grows in place: same file, longer; one that was begun is there with its head."""
    source = Source(tmp_path / "source").run(5)
    pull = pulled(source)
    pull.round()
    (path,) = journal.files(tmp_path / "copy" / "node=nas1" / "journal")
    inode = path.stat().st_ino
    source.run(5)
    pull.round()
    assert path.stat().st_ino == inode
    source.run(10)
    pull.round()
    assert files(tmp_path / "copy") == files(source.root)
    assert path.stat().st_ino == inode


def test_when_a_copy_was_whole(tmp_path, pulled):
    """pulled.json says when the last whole round began."""
    source = Source(tmp_path / "source").run(3)
    pulled(source).round()
    mark = copied(tmp_path / "copy" / "node=nas1")
    assert mark is not None
    assert mark.at is not None
    assert timedelta(0) <= datetime.now(mark.at.tzinfo) - mark.at < timedelta(minutes=5)


def test_address_books_are_what_they_are_at_the_source(tmp_path, pulled, caplog):
    """Also when somebody was struck out there; one that is damaged there leaves the copy's as it was."""
    source = Source(tmp_path / "source")
    client = source.recorder.thing("clients", "boot/1/7", server="srv0", client="0123456789abcdef")
    client.about = {"address": "192.0.2.7"}
    source.recorder.cycle({client: {}})
    source.run(20).keep()
    book, copy = source.tree.folder / addresses.FILE, tmp_path / "copy" / "node=nas1" / addresses.FILE
    pull = pulled(source)
    pull.round()
    assert [entry.address for entry in addresses.book(copy.parent).values()] == ["192.0.2.7"]
    whole = book.read_bytes()
    book.write_bytes(whole.replace(b"192.0.2.7", b"192.0.2.77"))
    pull.round()
    assert copy.read_bytes() == whole
    assert "stays as it was" in caplog.text
    book.write_bytes(whole.splitlines(keepends=True)[0])
    pull.round()
    assert addresses.book(copy.parent) == {}
    assert not check(tmp_path / "copy").findings


def export(member, at=EVER[0], told=1, by="vpsadmin"):
    return Statement("export", "1", at, {"server": "srv0", "member": member}, told, by)


def members(where):
    return {row["member"] for row in usage(where, "member")}


def test_a_copy_learns_whose_everything_is(tmp_path, pulled):
    """Of each of its sources, beside what was told to it; what is known already is not told twice."""
    first, second = Source(tmp_path / "a").run(20), Source(tmp_path / "b", "nas2").run(31)
    inventory.tell(first.root, [export("1001")])
    pulls, copy = [pulled(first), pulled(second)], tmp_path / "copy"
    for pull in pulls:
        pull.round()
    assert members(copy) == {"1001", None}
    inventory.tell(copy, [Statement("export", "2", EVER[0], {"server": "srv1", "member": "7"}, 1)])
    inventory.tell(second.root, [export("1002", told=2)])
    inventory.tell(first.root, [export("1001", at=5)])
    for pull in pulls * 2:
        pull.round()
    assert members(copy) == {"1001", "7"}
    assert len(inventory.read(copy).statements) == 4
    assert not check(copy).findings


def test_a_copy_keeps_what_it_knows_of_an_inventory_that_is_damaged(tmp_path, pulled, caplog):
    """And learns the rest when it is whole again; while somebody tells, the next round learns it."""
    source, copy = Source(tmp_path / "source").run(20), tmp_path / "copy"
    inventory.tell(source.root, [export("1001")])
    pull = pulled(source)
    pull.round()
    told = inventory.tell(source.root, [export("1002", told=3)])
    path = source.root / inventory.FILE
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"1002", b"10022"))
    pull.round()
    assert f"line 3 of the inventory of {source.root} is damaged" in caplog.text
    assert members(copy) == {"1001", None}
    path.write_bytes(whole)
    with hold(copy / "inventory.lock", "taken", "wait"):
        pull.round()
    assert members(copy) == {"1001", None}
    pull.round()
    assert inventory.read(copy).version == told.version


def test_a_copy_learns_what_was_noted_and_judged(tmp_path, pulled, caplog):
    """At each of its sources, beside what was told to itself; damage is told, and what was learned stays."""
    first, second = Source(tmp_path / "a").run(20), Source(tmp_path / "b", "nas2").run(31)
    now, copy = datetime.now(UTC), tmp_path / "copy"
    one, other = (notes.tell(s.root, n, (now, now), [n], now) for s, n in ((first, "nas1"), (second, "nas2")))
    judgements.judge(first.root, "tank@1", "confirmed", now)
    pulls = [pulled(first), pulled(second)]
    for pull in pulls:
        pull.round()
    assert {note.id for note in notes.read(copy)} == {one.id, other.id}
    here = notes.tell(copy, "here", (now, now), ["nas1"], now)
    notes.remove(first.root, one.id, now)
    notes.erase(second.root, other.id, now)
    judgements.judge(first.root, "tank@1", "rejected", now)
    for pull in pulls * 2:
        pull.round()
    assert {note.id: (note.text, note.removed is None) for note in notes.read(copy)} == {
        one.id: ("nas1", False),
        other.id: (None, True),
        here.id: ("here", True),
    }
    assert [j.judgement for j in judgements.read(copy)] == ["confirmed", "rejected"]
    assert not check(copy).findings
    path = first.root / notes.CHRONICLE.file
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    pulls[0].round()
    assert f"notes.jsonl of {first.root} is damaged" in caplog.text
    path.write_bytes(whole)
    late = notes.tell(first.root, "late", (now, now), ["nas1"], now)
    with hold(copy / notes.CHRONICLE.lock, "taken", "wait"):
        pulls[0].round()
    assert late.id not in {note.id for note in notes.read(copy)}
    pulls[0].round()
    assert {note.id for note in notes.read(copy)} == {one.id, other.id, here.id, late.id}


def test_what_is_kept_of_episodes_is_copied(tmp_path, pulled):
    """Whole, and once: what was judged anew replaces what was; what is old there stays until it is too old here."""
    source = Source(tmp_path / "source").run(30).keep()
    old, day = date(2026, 10, 1), date(2026, 10, 5)
    first = judged.write_text(source.tree, "tank/a", "episodes", day, {"episodes": []})
    judged.write_text(source.tree, "tank/a", "episodes", old, {"episodes": []})
    judged.put_provisional(source.tree, "tank/a", {"from": 1})
    pull = pulled(source)
    pull.round()
    copy = Tree(tmp_path / "copy", "nas1")
    assert [(each.pool, each.day) for each in judged.listed(copy)] == [("tank/a", old), ("tank/a", day)]
    assert judged.provisional(copy) == {}
    assert check(copy.root).findings == []
    again = judged.write_text(source.tree, "tank/a", "episodes", day, {"episodes": [], "again": 1})
    first.path.unlink()
    judged.expire(source.tree, day)
    pull.round()
    assert [each.day for each in judged.listed(copy)] == [old, day]
    assert judged.listed(copy)[1].digest == again.digest
    assert [path.name for path in (copy.folder / "gone").iterdir()] == [first.path.name]


def test_what_is_damaged_of_episodes_is_not_copied(tmp_path, pulled):
    """It is put aside, as a segment is."""
    source = Source(tmp_path / "source").run(30).keep()
    file = judged.write_text(source.tree, "tank", "episodes", date(2026, 10, 5), {"episodes": []})
    file.path.write_text(file.path.read_text().replace("1", "2"))
    pulled(source).round()
    copy = Tree(tmp_path / "copy", "nas1")
    assert judged.listed(copy) == []
    assert (copy.quarantine / file.path.name).exists()
