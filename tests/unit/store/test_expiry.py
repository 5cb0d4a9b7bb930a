"""Expiry: nothing goes that is the only copy of anything, and what is old goes when it may."""

import shutil

from kept import AT_ONCE, RULES, added, at, in_segments, levels, record, rolled

from nasacct.store import journal
from nasacct.store.expiry import expire_replaced
from nasacct.store.keep import Rules, keep
from nasacct.store.parts import consume
from nasacct.store.schema import NFSD
from nasacct.store.shelf import shelf
from nasacct.store.tree import Tree


def old_and_new(where):
    """An hour on new year's day, then a cycle after 60 days and one 2 days later, in journal files of their own."""
    recorder = record(where, start="2025-01-01T10:00:00+00:00")
    for days in (60, 2):
        recorder.rotate()
        recorder.cycle({t: {"read_bytes": 10**6} for t in recorder.alive["nfsd"]}, seconds=days * 86_400)


def test_replaced_files_go_after_a_grace_period_and_the_newest_journal_never(tmp_path):
    """A reader that has listed them may still open them."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    keep(tree, at("2026-11-25"), RULES)
    made = max(p.stat().st_mtime for p in tree.folder.rglob("*"))
    assert expire_replaced(tree, made + 800, 900) == 0
    assert len(journal.files(tree.journal)) == 4
    expire_replaced(tree, made + 10**6, 900)
    assert len(journal.files(tree.journal)) == 2
    assert all(not shelf(r.folder).hidden for r in tree.relations())
    assert added(tmp_path) == before


def test_nothing_is_deleted_for_a_segment_that_is_damaged(tmp_path):
    """It goes to the quarantine, and what it was made of is seen again."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    keep(tree, at("2026-11-25"), RULES)
    (day,) = shelf(tree.relation("usage", NFSD).folder).visible
    content = bytearray(day.path.read_bytes())
    content[100] ^= 4
    day.path.write_bytes(content)
    expire_replaced(tree, 0, AT_ONCE.grace_s)
    assert [p.name for p in tree.quarantine.iterdir()] == [day.name]
    assert added(tmp_path) == before
    keep(tree, at("2026-11-25"), RULES)
    assert levels(tree) == ["day"]
    assert added(tmp_path) == before


def test_no_journal_file_goes_before_an_older_one_that_is_not_kept(tmp_path):
    """What is made of the older one reaches to the head of the next; without that it would reach over it."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    consume(tree)
    first = min(shelf(tree.relation("usage", NFSD).folder).visible, key=lambda s: s.since)
    first.path.write_bytes(b"torn")
    expire_replaced(tree, 0, AT_ONCE.grace_s)
    assert len(journal.files(tree.journal)) == 4
    keep(tree, at("2026-11-25"), AT_ONCE)
    assert added(tmp_path) == before


def test_a_journal_file_that_changed_after_it_was_kept_stays(tmp_path):
    """Its name is taken, its content is nobody's: a person has to look."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-25"), RULES)
    changed = journal.files(tree.journal)[0]
    changed.write_bytes(changed.read_bytes() + b"more")
    expire_replaced(tree, 0, AT_ONCE.grace_s)
    assert changed in journal.files(tree.journal)


def test_the_file_before_the_newest_stays_in_case_that_one_rots(tmp_path):
    """A journal file is deleted when the one after it was kept as well."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    files = journal.files(tree.journal)
    for _ in range(3):
        keep(tree, at("2026-11-25"), AT_ONCE)
    assert journal.files(tree.journal) == files[-2:]


def test_old_segments_go_and_rollups_stay(tmp_path):
    """Ages are counted from the node's newest day, so that a store that stands still keeps what it has."""
    tree = Tree(tmp_path, "nas1")
    recorder = record(tmp_path, start="2025-01-01T10:00:00+00:00")
    keep(tree, at("2026-11-25"), AT_ONCE)
    assert levels(tree, kind="readings") == ["day"]
    recorder.rotate()
    alive = recorder.alive["nfsd"]
    recorder.cycle({t: {"read_bytes": 10**6} for t in alive}, seconds=50 * 86_400)
    recorder.cycle({t: {"read_bytes": 2 * 10**6} for t in alive}, seconds=10)
    recorder.rotate()
    recorder.cycle({t: {"read_bytes": 2 * 10**6} for t in alive}, seconds=2 * 86_400)
    for _ in range(4):
        keep(tree, at("2026-11-25"), AT_ONCE)
    (kept,) = shelf(tree.relation("readings", NFSD).folder).visible
    assert kept.until > at("2025-02-01")
    assert levels(tree) == ["day", "day"]
    assert rolled(tree, "1d") == in_segments(tree)


def test_readings_stay_until_their_month_is_sealed(tmp_path, caplog):
    """Or until they are so old that nobody will seal it any more, which is told."""
    tree = Tree(tmp_path, "nas1")
    old_and_new(tmp_path)
    days = {"readings": 40, "usage": 400}
    for _ in range(3):
        keep(tree, at("2026-11-25"), Rules(days, -1e12, sealed=at("2024-12-31")))
    assert levels(tree, kind="readings") == ["day", "day"]
    for sealed, most in ((at("2025-02-01"), 100), (0, 50)):
        copy = tmp_path / f"{most}"
        shutil.copytree(tree.folder, copy / "node=nas1")
        keep(Tree(copy, "nas1"), at("2026-11-25"), Rules(days, -1e12, sealed=sealed, most=most))
        assert levels(Tree(copy, "nas1"), kind="readings") == ["day"]
        assert ("never sealed" in caplog.text) == (most == 50)


def test_streams_may_be_kept_for_a_time_of_their_own(tmp_path):
    """Usage of one stream goes earlier than that of the others."""
    tree = Tree(tmp_path, "nas1")
    old_and_new(tmp_path)
    for _ in range(3):
        keep(tree, at("2026-11-25"), Rules({"readings": 40, "usage": 400}, -1e12, {"health": 30}))
    assert (levels(tree), levels(tree, "health")) == (["day", "day"], ["day"])


def test_a_segment_is_not_dropped_before_what_it_replaces(tmp_path):
    """Else its inputs would be seen again."""
    record(tmp_path, start="2025-01-01T10:00:00+00:00")
    recorder = record(tmp_path / "later", start="2025-06-01T10:00:00+00:00")
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2025-06-03"), RULES)
    for path in recorder.folder.iterdir():
        (tree.journal / path.name.replace("0000000", "0000001")).write_bytes(path.read_bytes())
    before = added(tmp_path)
    for _ in range(3):
        keep(tree, at("2025-06-03"), RULES)
    assert added(tmp_path) == before
    assert levels(tree, kind="readings") == ["day", "day"]
