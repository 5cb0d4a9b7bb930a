"""The keeper: nothing is lost and nothing counts twice, whenever it runs and wherever it is killed."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from journals import Recorder

from nasacct.errors import NasacctError
from nasacct.store import compaction, journal, journal_frames, root, segment_file
from nasacct.store.expiry import expire_replaced
from nasacct.store.frame import Instant
from nasacct.store.keep import Rules, keep
from nasacct.store.parts import consume
from nasacct.store.schema import NFSD, STREAMS
from nasacct.store.segment_file import read
from nasacct.store.shelf import shelf
from nasacct.store.tables import rollup_schema
from nasacct.store.tree import STEPS, Tree
from nasacct.store.warehouse import Warehouse

#: Nothing that is replaced is deleted, or all of it at once, whatever the clock of this machine says.
RULES = Rules({"readings": 40, "usage": 400}, grace_s=1e12)
AT_ONCE = Rules({"readings": 40, "usage": 400}, grace_s=-1e12)
ADDED = (
    "SELECT server, epoch, sum(read_bytes)::BIGINT AS m, sum(read_bytes_more)::BIGINT AS more FROM nfsd GROUP BY ALL"
)


def at(text):
    """Seconds since 1970 of a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def record(where, *, minutes=60, file_minutes=15, start="2026-11-23T10:00:00+00:00", every=60, node="nas1"):
    """Two busy servers, one of which is started anew after half of the time."""
    recorder = Recorder(where, node=node, start=start, interval_s=every)
    first, second = (recorder.thing("nfsd", server=s) for s in ("srv1", "srv2"))
    for i in range(minutes * 60 // every):
        if i and i * every % (file_minutes * 60) == 0:
            recorder.rotate()
        if i == minutes * 30 // every:
            second = recorder.thing("nfsd", "boot-second-life", server="srv2")
        recorder.cycle({first: {"read_bytes": 1000 * i}, second: {"read_bytes": 10 * i + 7, "calls": i}})
    return recorder


def added(where):
    """What usage adds up to, by server and epoch."""
    rows = Warehouse(where).query(ADDED, views=["nfsd"]).to_pylist()
    return {(r["server"], r["epoch"]): (r["m"], r["more"]) for r in rows}


def levels(tree, stream="nfsd", kind="usage"):
    """The levels of the visible segments of a stream."""
    return sorted(s.level for s in shelf(tree.relation(kind, STREAMS[stream]).folder).visible)


def everything(tree):
    """Every file below the tree with its content, but for the keeper's notes."""
    return {p: p.read_bytes() for p in tree.folder.rglob("*") if p.is_file() and p.name != "keep.json"}


def test_closed_files_become_parts_and_the_newest_stays(tmp_path):
    """Each stream has a part of every closed file, also an empty one; usage stays what it was."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    assert keep(tree, at("2026-11-23 10:59"), RULES) == 0
    for relation in tree.relations():
        assert len(shelf(relation.folder).visible) == 3
    assert len(journal.files(tree.journal)) == 4
    assert added(tmp_path) == before
    assert before["srv1", "boot-nfsd-srv1"] == (59_000, 0)


def test_a_second_run_changes_nothing(tmp_path):
    """All that is to be done is asked of the files."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-25"), RULES)
    files = everything(tree)
    keep(tree, at("2026-11-25"), RULES)
    assert everything(tree) == files


def test_hours_and_days_are_merged_when_they_are_over(tmp_path):
    """Parts become an hour's segment after the hour, and one of the day after the day, with the same rows in order."""
    record(tmp_path, minutes=130)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    keep(tree, at("2026-11-23 10:50"), RULES)
    assert set(levels(tree)) == {"part"}
    keep(tree, at("2026-11-23 11:59"), RULES)
    assert levels(tree) == ["hour", *["part"] * 4]
    keep(tree, at("2026-11-24 00:30"), RULES)
    assert levels(tree) == ["day"]
    assert added(tmp_path) == before
    (segment,) = shelf(tree.relation("usage", NFSD).folder).visible
    table = read(segment.path, tree.relation("usage", NFSD).schema)
    assert table.equals(table.sort_by([("server", "ascending"), ("epoch", "ascending"), ("t0", "ascending")]))


def test_six_hours_become_one_segment_and_no_merge_is_of_many(tmp_path, monkeypatch):
    """The running day is few segments; after an outage of the keeper too, one run of it makes one of all."""
    record(tmp_path, minutes=60 * 14 + 10, every=300)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    sizes = []
    merging = compaction._merge
    monkeypatch.setattr(compaction, "_merge", lambda *a: sizes.append(len(a[3].inputs)) or merging(*a))
    keep(tree, at("2026-11-23 19:59"), RULES)
    # of 10:00 to 12:00, 12:00 to 18:00, 18:00 to 19:00, and what is of the hour that runs
    assert levels(tree)[:3] == ["hour"] * 3
    assert set(levels(tree)[3:]) == {"part"}
    assert added(tmp_path) == before
    shutil.rmtree(tree.folder / "usage")
    keep(tree, at("2026-11-25"), RULES)
    assert levels(tree) == ["day"]
    assert added(tmp_path) == before
    assert max(sizes) <= compaction.MOST


def test_large_segments_are_merged_in_slices_of_whole_keys(tmp_path, monkeypatch):
    """Memory is bounded by a number of values, whatever a day holds; the result is the same."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    monkeypatch.setattr("nasacct.store.cursor.VALUES", 200)
    monkeypatch.setattr("nasacct.store.segment_file.MERGED_VALUES", 40)
    keep(tree, at("2026-11-25"), RULES)
    assert levels(tree) == ["day"]
    assert added(tmp_path) == before


def test_a_late_part_stands_beside_the_day_until_the_next_run(tmp_path):
    """A collector that was away for a day closes its last file late."""
    recorder = record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-25"), RULES)
    recorder.rotate()
    recorder.cycle({t: {"read_bytes": 10**6} for t in recorder.alive["nfsd"]}, seconds=60)
    before = added(tmp_path)
    consume(tree)
    assert levels(tree) == ["day", "part"]
    assert added(tmp_path) == before
    keep(tree, at("2026-11-25"), RULES)
    assert levels(tree) == ["day"]
    assert added(tmp_path) == before
    assert rolled(tree, "5m") == in_segments(tree)


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


def test_an_unreadable_journal_file_is_put_aside_unless_it_is_the_newest(tmp_path):
    """The newest may just be begun; the usage of the files around stays whole, because heads bridge what is lost."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    paths = journal.files(tree.journal)
    paths[1].write_bytes(b"NASJ1\nbut no head")
    newest = tree.journal / "00000009-20261123T120000Z-00000000.journal"
    newest.write_bytes(b"")
    keep(tree, at("2026-11-23 10:59"), RULES)
    assert [p.name for p in tree.quarantine.iterdir()] == [paths[1].name]
    assert newest.exists()
    assert {k: v[0] for k, v in added(tmp_path).items()} == {k: v[0] for k, v in before.items()}


def test_a_birth_in_a_lost_file_counts_though_the_clock_was_set_back(tmp_path):
    """The next head tells it, at a time that is before the one after which it was born."""
    recorder = Recorder(tmp_path)
    first, born = (recorder.thing("nfsd", server=f"srv{i}") for i in range(2))
    recorder.cycle({first: {"read_bytes": 5}})
    recorder.rotate()
    recorder.cycle({first: {"read_bytes": 6}, born: {"read_bytes": 70}})
    recorder.now = Instant(recorder.now.wall_ns - 10**15, recorder.now.boot_ns)
    recorder.cycle({first: {"read_bytes": 8}, born: {"read_bytes": 100}})
    lost = recorder.path
    recorder.rotate()
    recorder.cycle({first: {"read_bytes": 9}, born: {"read_bytes": 110}})
    recorder.rotate()
    recorder.cycle({first: {"read_bytes": 9}, born: {"read_bytes": 110}})
    lost.write_bytes(b"no journal")
    assert [v[0] for v in added(tmp_path).values()] == [4, 110]


def test_a_journal_file_that_rots_after_the_one_before_was_kept_is_bridged(tmp_path):
    """Its neighbour's usage ends at its head; from there on the parts made for it reach to the next head."""
    recorder = record(tmp_path, minutes=40)
    tree = Tree(tmp_path, "nas1")
    before = added(tmp_path)
    keep(tree, at("2026-11-23 10:59"), AT_ONCE)
    third = journal.files(tree.journal)[-1]
    recorder.rotate()
    recorder.cycle({t: {"read_bytes": 10**6, "calls": 99} for t in recorder.alive["nfsd"]}, seconds=60)
    third.write_bytes(b"NASJ1\nno head any more")
    bridged = {k: 10**6 if v[0] > 300 else v[0] for k, v in before.items()}
    assert {k: v[0] for k, v in added(tmp_path).items()} == bridged
    keep(tree, at("2026-11-23 10:59"), AT_ONCE)
    assert [p.name for p in tree.quarantine.iterdir()] == [third.name]
    assert {k: v[0] for k, v in added(tmp_path).items()} == bridged
    keep(tree, at("2026-11-25"), AT_ONCE)
    assert levels(tree) == ["day"]


def test_the_file_before_the_newest_stays_in_case_that_one_rots(tmp_path):
    """A journal file is deleted when the one after it was kept as well."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    files = journal.files(tree.journal)
    for _ in range(3):
        keep(tree, at("2026-11-25"), AT_ONCE)
    assert journal.files(tree.journal) == files[-2:]


def test_a_journal_of_a_newer_version_is_refused(tmp_path):
    """It is sound, so it is neither guessed at nor put aside."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    first = journal.files(tree.journal)[0]
    first.write_bytes(newer(first.read_bytes()))
    with pytest.raises(NasacctError, match="newer nasacct"):
        keep(tree, at("2026-11-25"), RULES)
    assert first.exists()


def newer(content):
    """The journal file's content, said to be of version 9."""
    header, parts, end = journal_frames.unpack(content, len(journal.MAGIC))
    packed = journal_frames._pack(header | {"nasacct_journal": 9}, [bytes(parts)])
    return journal.MAGIC + packed + content[end:]


class Killed(BaseException):
    """The end of the process, here and now."""


class Mortal:
    """Kills whoever changes the file system for the n-th time, and lets nothing be changed afterwards."""

    def __init__(self, monkeypatch, lives):
        self.lives, self.count = lives, 0
        for owner, name in ((Path, "replace"), (Path, "unlink"), (Path, "rename"), (segment_file.os, "fsync")):
            monkeypatch.setattr(owner, name, self._mortal(getattr(owner, name)))

    def _mortal(self, call):
        def instead(*args, **kwargs):
            self.count += 1
            if self.count > self.lives:
                raise Killed
            return call(*args, **kwargs)

        return instead


def test_killed_anywhere_the_next_run_goes_on(tmp_path, monkeypatch):
    """Before each change of the file system a reader sees the same usage, and the next run ends where one run would."""
    recorder = record(tmp_path / "model", minutes=4, file_minutes=1, every=20)
    wanted = added(tmp_path / "model")
    monkeypatch.setattr("nasacct.store.tree.STREAMS", {"nfsd": NFSD})
    monkeypatch.setattr("nasacct.store.keep.STREAMS", {"nfsd": NFSD})
    names = sorted(p.name for p in recorder.folder.iterdir())
    lives = 0
    while True:
        where = tmp_path / f"killed-{lives}"
        (where / "node=nas1" / "journal").mkdir(parents=True)
        (where / "store.json").write_text('{"nasacct_store": 1}')
        for name in names:
            (where / "node=nas1" / "journal" / name).write_bytes((recorder.folder / name).read_bytes())
        tree = Tree(where, "nas1")
        with monkeypatch.context() as patch:
            mortal = Mortal(patch, lives)
            try:
                keep(tree, at("2026-11-25"), AT_ONCE)
            except Killed:
                pass
            else:
                break
        assert mortal.count > lives
        assert added(where) == wanted
        assert keep(tree, at("2026-11-25"), AT_ONCE) == 0
        assert keep(tree, at("2026-11-25"), AT_ONCE) == 0
        assert added(where) == wanted
        assert levels(tree) == ["day"]
        assert rolled(tree, "1h") == in_segments(tree)
        assert len(journal.files(tree.journal)) == 2
        lives += 1
    assert lives > 40


def in_segments(tree):
    """Bytes read by epoch, in usage segments."""
    tables = [
        read(s.path, tree.relation("usage", NFSD).schema) for s in shelf(tree.relation("usage", NFSD).folder).visible
    ]
    return by_epoch(pa.concat_tables(tables))


def rolled(tree, step):
    """Bytes read by epoch, in rollups."""
    tables = [read(s.path, rollup_schema(NFSD)) for s in shelf(tree.rollup(step, NFSD).folder).visible]
    return by_epoch(pa.concat_tables(tables))


def by_epoch(table):
    """Bytes read by epoch."""
    rows = table.group_by("epoch").aggregate([("read_bytes", "sum")]).to_pylist()
    return {r["epoch"]: r["read_bytes_sum"] for r in rows}


@pytest.mark.parametrize("step", STEPS)
def test_rollups_are_the_sums_of_usage(tmp_path, step):
    """Every byte of a day's segment is in its bucket, and the number of parts is told."""
    record(tmp_path, minutes=150)
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-25"), RULES)
    assert rolled(tree, step) == in_segments(tree)
    (segment,) = shelf(tree.rollup(step, NFSD).folder).visible
    table = read(segment.path, rollup_schema(NFSD))
    starts = {t.timestamp() % STEPS[step] for t in table.column("bucket").to_pylist()}
    assert starts == {0.0}
    (day,) = shelf(tree.relation("usage", NFSD).folder).visible
    assert pc.sum(table.column("parts")).as_py() == shelf(tree.relation("usage", NFSD).folder).visible[day].rows


def test_rollups_count_what_is_unknown_and_sum_what_is_possible(tmp_path):
    """A fall is unknown and an end without a last reading bounded; neither makes a sum smaller or vanishes in it."""
    recorder = Recorder(tmp_path, interval_s=10)
    first, second = (recorder.thing("nfsd", server=s) for s in ("srv1", "srv2"))
    recorder.cycle({first: {"read_bytes": 100}, second: {"read_bytes": 5}})
    recorder.cycle({first: {"read_bytes": 50}, second: {"read_bytes": 6}})
    recorder.cycle({first: {"read_bytes": 70}})
    recorder.rotate()
    recorder.cycle({first: {"read_bytes": 70}})
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-25"), RULES)
    (segment,) = shelf(tree.rollup("1h", NFSD).folder).visible
    one, two = read(segment.path, rollup_schema(NFSD)).to_pylist()
    assert (one["read_bytes"], one["read_bytes_unknown"]) == (20, 1)
    assert (two["read_bytes"], two["read_bytes_unknown"]) == (1, 0)
    assert 10 * recorder.link_bytes_s <= two["read_bytes_more"] <= 12 * recorder.link_bytes_s
    assert two["connections"] is None


def test_a_row_cut_at_an_edge_is_exact_in_the_bucket_that_holds_all_of_it(tmp_path):
    """Ten minutes without a reading: bounded in 5-minute buckets, exact in the hour."""
    recorder = Recorder(tmp_path, interval_s=10)
    server = recorder.thing("nfsd", server="srv1")
    recorder.cycle({server: {"read_bytes": 0}}, seconds=20)
    recorder.cycle({server: {"read_bytes": 1000}}, seconds=600)
    recorder.rotate()
    recorder.cycle({server: {"read_bytes": 1000}})
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-25"), RULES)
    more = {}
    for step in STEPS:
        (segment,) = shelf(tree.rollup(step, NFSD).folder).visible
        more[step] = read(segment.path, rollup_schema(NFSD)).column("read_bytes_more").to_pylist()
    assert min(more["5m"]) > 0
    assert more["1h"] == [0]
    assert more["1d"] == [0]


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


def test_what_comes_late_is_added_to_the_sums_even_when_the_usage_of_its_day_is_gone(tmp_path):
    """Each journal file is in the sums once; nothing is ever summed again."""
    tree = Tree(tmp_path, "nas1")
    recorder = record(tmp_path, start="2025-01-01T10:00:00+00:00")
    for _ in range(2):
        keep(tree, at("2025-03-01"), AT_ONCE)
    recorder.rotate()
    recorder.cycle({t: {"read_bytes": 10**6} for t in recorder.alive["nfsd"]})
    total = {epoch: 10**6 - (7 if "srv2" in epoch or "second" in epoch else 0) for epoch in rolled(tree, "1d")}
    usage = shelf(tree.relation("usage", NFSD).folder).visible
    for segment in usage:
        segment.path.unlink()
    for step in STEPS:
        keep(tree, at("2025-03-01"), AT_ONCE)
        assert {e: v for e, v in rolled(tree, step).items() if v > 10**5} == {
            e: v for e, v in total.items() if rolled(tree, step)[e] > 10**5
        }
        (segment,) = shelf(tree.rollup(step, NFSD).folder).visible
        assert segment.level == ("year" if step == "1d" else "month")


def test_the_running_months_sums_are_one_file(tmp_path):
    """Each night's sums join the month's (a year's for days), and rows of one bucket become one."""
    tree = Tree(tmp_path, "nas1")
    recorder = record(tmp_path, start="2026-01-30T23:00:00+00:00", minutes=100)
    for day in ("2026-01-31 00:40", "2026-02-01 00:40", "2026-02-03 01:00"):
        keep(tree, at(day), AT_ONCE)
        recorder.rotate()
        recorder.cycle({t: {"read_bytes": 10**6} for t in recorder.alive["nfsd"]}, seconds=86_400)
    keep(tree, at("2026-02-05"), AT_ONCE)
    keep(tree, at("2026-02-05"), AT_ONCE)
    for step, levels_of in (("5m", ["month", "month"]), ("1h", ["month", "month"]), ("1d", ["year"])):
        found = shelf(tree.rollup(step, NFSD).folder).visible
        assert sorted(s.level for s in found) == levels_of
        assert rolled(tree, step) == in_segments(tree)
        for segment in found:
            rows = read(segment.path, rollup_schema(NFSD)).select(["epoch", "bucket", "row_t0"]).to_pylist()
            assert len(rows) == len({tuple(r.values()) for r in rows})


def test_a_long_row_is_found_again_over_all_buckets_of_a_month(tmp_path):
    """A night in which nobody could read is bounded in each hour and exact over all of them."""
    recorder = Recorder(tmp_path, interval_s=10)
    server = recorder.thing("nfsd", server="srv1")
    recorder.cycle({server: {"read_bytes": 0}})
    recorder.cycle({server: {"read_bytes": 1000}}, seconds=8 * 3600)
    recorder.rotate()
    recorder.cycle({server: {"read_bytes": 1000}})
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-25"), RULES)
    (segment,) = shelf(tree.rollup("1h", NFSD).folder).visible
    rows = read(segment.path, rollup_schema(NFSD)).to_pylist()
    pieces = [r for r in rows if r["row_t0"]]
    assert len(pieces) == 8
    assert len({(r["row_t0"], r["row_t1"]) for r in pieces}) == 1
    assert {r["read_bytes"] + r["read_bytes_more"] for r in pieces} == {1000}
    assert sum(r["read_bytes"] for r in rows) == 1000


def test_readings_stay_until_their_month_is_sealed(tmp_path, caplog):
    """Or until they are so old that nobody will seal it any more, which is told."""
    tree = Tree(tmp_path, "nas1")
    recorder = record(tmp_path, start="2025-01-01T10:00:00+00:00")
    recorder.rotate()
    recorder.cycle({t: {"read_bytes": 10**6} for t in recorder.alive["nfsd"]}, seconds=60 * 86_400)
    recorder.rotate()
    recorder.cycle({t: {"read_bytes": 10**6} for t in recorder.alive["nfsd"]}, seconds=2 * 86_400)
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
    recorder = record(tmp_path, start="2025-01-01T10:00:00+00:00")
    recorder.rotate()
    recorder.cycle({t: {"read_bytes": 10**6} for t in recorder.alive["nfsd"]}, seconds=60 * 86_400)
    recorder.rotate()
    recorder.cycle({t: {"read_bytes": 10**6} for t in recorder.alive["nfsd"]}, seconds=2 * 86_400)
    for _ in range(3):
        keep(tree, at("2026-11-25"), Rules({"readings": 40, "usage": 400}, -1e12, {"health": 30}))
    assert (levels(tree), levels(tree, "health")) == (["day", "day"], ["day"])


def test_columns_of_a_later_program_are_kept(tmp_path):
    """Merged segments have them; rollups with them are left in several files; answers do without them."""
    record(tmp_path)
    tree = Tree(tmp_path, "nas1")
    keep(tree, at("2026-11-23 10:59"), RULES)
    usage = tree.relation("usage", NFSD)
    for segment, said in shelf(usage.folder).visible.items():
        table = read(segment.path, usage.schema).append_column("later", pa.array([5] * said.rows, pa.int64()))
        segment.path.unlink()
        with segment_file.SegmentWriter(usage.folder, "part", table.schema) as writer:
            writer.add(table)
            writer.finish(said)
    before = added(tmp_path)
    keep(tree, at("2026-11-25"), RULES)
    (day,) = shelf(usage.folder).visible
    assert pc.sum(pq.read_table(day.path).column("later")).as_py() == 5 * shelf(usage.folder).visible[day].rows
    assert added(tmp_path) == before


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


def nasacct_keep(where, *more):
    """Run `nasacct keep --once` as a process of its own."""
    program = "import sys; from nasacct.config import load; from nasacct.store.keep import run\n"
    program += "sys.exit(run(load(overrides={'root': sys.argv[1], 'node': sys.argv[2]}), once=True))"
    return subprocess.run(
        [sys.executable, "-c", program, str(where), *more], capture_output=True, text=True, check=False, timeout=120
    )


def test_once_keeps_a_replayed_store_whatever_its_node_is_called(tmp_path):
    """A replay writes under the recording's node, not under this machine's."""
    record(tmp_path, node="elsewhere")
    before = added(tmp_path)
    done = nasacct_keep(tmp_path, "here")
    assert (done.returncode, done.stderr) == (0, "")
    assert levels(Tree(tmp_path, "elsewhere"))
    assert added(tmp_path) == before


def test_only_one_keeper_at_a_time(tmp_path):
    """The second one is told who holds the store, and has touched nothing."""
    record(tmp_path)
    with root.lock(tmp_path, "nas1", "keep"):
        done = nasacct_keep(tmp_path, "nas1")
    assert done.returncode != 0
    assert f"pid {os.getpid()}" in done.stderr
    assert not (tmp_path / "node=nas1" / "usage").exists()


def test_the_keeper_gives_way_to_everybody(tmp_path):
    """It asks for the lowest CPU priority and the idle I/O class; ioprio_get(2) and nice(2) say that it has them."""
    program = """
import ctypes, json, os
from nasacct.store import keep
keep.idle()
number = {251: 252, 30: 31}[keep._IOPRIO_SET[os.uname().machine]]
print(json.dumps([os.nice(0), ctypes.CDLL(None).syscall(number, 1, 0) >> 13]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == [19, 3]
