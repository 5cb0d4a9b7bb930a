"""Copies, pulled by rsync from a folder of this machine; tests/system/test_pull.py does it over ssh."""

import json
import shutil
import threading
import time
from datetime import datetime, timedelta

import pytest
from journals import Recorder

from nasacct.config import Config
from nasacct.errors import CANT_CREATE, DATA, NO_INPUT, NasacctError
from nasacct.reports.steps import us
from nasacct.reports.usage import ask
from nasacct.store import journal
from nasacct.store.check.whole import check
from nasacct.store.copies import copied
from nasacct.store.expiry import Rules
from nasacct.store.keep import keep
from nasacct.store.keep import run as run_keeper
from nasacct.store.pulling.remote import Remote, store_file
from nasacct.store.pulling.rounds import Pull
from nasacct.store.pulling.stage import Stage
from nasacct.store.root import lock, prepare
from nasacct.store.shelf import shelf
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

DAYS = {"readings": 40, "usage": 400}
#: Nothing that is replaced is deleted, or all of it at once.
KEPT = Rules(DAYS, grace_s=1e12)
AT_ONCE = Rules(DAYS, grace_s=-1e12)
START = "2026-10-05T10:00:00+00:00"
NFSD = "SELECT max(epoch_us(t1))::BIGINT AS until, sum(read_bytes)::BIGINT AS m FROM nfsd"


class Source:
    """A store with one node, in which every minute two servers read 1000 bytes each."""

    def __init__(self, root, node="nas1", start=START):
        self.recorder = Recorder(root, node=node, start=start, interval_s=60)
        self.root, self.tree = root, Tree(root, node)
        self.servers = [self.recorder.thing("nfsd", server=f"srv{i}") for i in range(2)]
        self.links = [self.recorder.thing("links", server=f"srv{i}", link=f"veth{i}") for i in range(2)]
        self.cycles = 0

    def run(self, cycles, every=15):
        """Write so many cycles, a journal file every 15 of them."""
        for _ in range(cycles):
            if self.cycles % every == 0:
                self.recorder.rotate()
            n = self.cycles * 1000
            self.recorder.cycle(
                {s: {"read_bytes": n} for s in self.servers} | {s: {"received_bytes": n} for s in self.links}
            )
            self.cycles += 1
        return self

    def keep(self, rules=KEPT):
        """What the keeper does at the recorder's present moment."""
        assert keep(self.tree, time.time(), rules) == 0
        return self

    @property
    def truth(self):
        """Up to when data reaches, and how much was read, in all."""
        return self.recorder.now.wall_ns // 1000, 2000 * (self.cycles - 1)


@pytest.fixture
def pulled(tmp_path):
    """Makes Pulls of a source into one copy, which end with the test."""
    made = []
    prepare(tmp_path / "copy", volatile=True)

    def begin(source, rules=KEPT, **more):
        pull = Pull(Remote(str(source.root), threading.Event()), tmp_path / "copy", rules, **more)
        made.append(pull)
        return pull

    yield begin
    for pull in made:
        pull.__exit__()


def files(root):
    """The files of a store that a copy has, with their content."""
    found = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if path.is_file() and store_file(name):
            found[name] = path.read_bytes()
    return found


def summed(warehouse):
    """The same sum, of days' rollups and what is not in them yet."""
    (row,) = warehouse.query("SELECT sum(read_bytes)::BIGINT AS m FROM nfsd_1d", views=["nfsd_1d"]).to_pylist()
    return row["m"]


def asked(root, **more):
    """What the store answers: up to when, how much."""
    (row,) = Warehouse(root, **more).query(NFSD, views=["nfsd"]).to_pylist()
    return row["until"], row["m"]


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


def test_replaced_files_go_only_when_their_replacement_is_here_and_whole(tmp_path, pulled):
    """What the source deleted stays until a sound segment in the copy has replaced it for long enough."""
    source = Source(tmp_path / "source").run(40).keep(KEPT)
    pull = pulled(source, KEPT)
    pull.round()
    before = files(tmp_path / "copy")
    source.run(40).keep(AT_ONCE)
    pull.round()
    assert set(before) <= set(files(tmp_path / "copy"))
    pull.rules = AT_ONCE
    pull.round()
    assert files(tmp_path / "copy") == files(source.root)
    assert asked(tmp_path / "copy") == source.truth


def test_damaged_replacement_comes_again_before_anything_goes(tmp_path, pulled):
    """A segment that was damaged in the copy deletes nothing; it is fetched again."""
    source = Source(tmp_path / "source").run(40).keep(KEPT)
    pull = pulled(source, KEPT)
    pull.round()
    (hour,) = shelf(tmp_path / "copy" / "node=nas1" / "usage" / "nfsd").visible
    content = bytearray(hour.path.read_bytes())
    content[100] ^= 1
    hour.path.write_bytes(content)
    source.keep(AT_ONCE)
    pull.rules = AT_ONCE
    pull.round()
    assert not hour.path.exists()
    assert asked(tmp_path / "copy") == source.truth
    pull.round()
    pull.round()
    assert files(tmp_path / "copy") == files(source.root)
    assert asked(tmp_path / "copy") == source.truth


def test_damaged_segment_of_the_source_is_not_taken(tmp_path, pulled):
    """It is put into the copy's quarantine, and what it replaces stays in the copy."""
    source = Source(tmp_path / "source").run(40)
    pull = pulled(source, AT_ONCE)
    pull.round()
    source.keep(KEPT)
    (hour,) = shelf(source.tree.folder / "usage" / "nfsd").visible
    content = bytearray(hour.path.read_bytes())
    content[100] ^= 1
    hour.path.write_bytes(content)
    for path in [*journal.files(source.tree.journal)[:-1], *source.tree.folder.glob("usage/nfsd/part-*")]:
        path.unlink()
    pull.round()
    pull.round()
    assert (tmp_path / "copy" / "node=nas1" / "quarantine" / hour.name).exists()
    assert asked(tmp_path / "copy") == source.truth


def test_emptied_source_empties_no_copy(tmp_path, pulled):
    """History that the source lacks stays, when it was made anew; a node that is gone there stays whole."""
    source = Source(tmp_path / "source").run(100).keep(KEPT)
    pull = pulled(source, AT_ONCE)
    pull.round()
    days = [p for p in files(tmp_path / "copy") if "/day-" in p and "/rollup/" not in p]
    assert days
    shutil.rmtree(source.tree.folder)
    anew = Source(tmp_path / "source", start="2026-10-20T10:00:00+00:00").run(40).keep(KEPT)
    pull.round()
    assert set(days) <= set(files(tmp_path / "copy"))
    assert asked(tmp_path / "copy") == (anew.truth[0], 2000 * 89 + anew.truth[1])
    assert summed(Warehouse(tmp_path / "copy")) == 2000 * 89 + anew.truth[1]
    shutil.rmtree(source.tree.folder)
    kept = files(tmp_path / "copy")
    pull.round()
    assert files(tmp_path / "copy") == kept


def test_old_history_goes_by_the_copys_own_rules(tmp_path, pulled):
    """What the source dropped for its age is dropped here when it is too old for this copy, too."""
    source = Source(tmp_path / "source").run(30).keep(KEPT)
    pull = pulled(source, KEPT)
    pull.round()
    source.recorder.wait(45 * 86_400)
    source.run(30).keep(AT_ONCE)
    old = "day-20261005T100000Z-*"
    for kind in ("readings", "usage"):
        for path in source.tree.folder.glob(f"{kind}/nfsd/{old}"):
            path.unlink()
    pull.rules = Rules({"readings": 200, "usage": 400}, grace_s=-1e12)
    pull.round()
    assert list((tmp_path / "copy").glob(f"node=nas1/readings/nfsd/{old}"))
    pull.rules = AT_ONCE
    pull.round()
    assert not list((tmp_path / "copy").glob(f"node=nas1/readings/nfsd/{old}"))
    assert list((tmp_path / "copy").glob(f"node=nas1/usage/nfsd/{old}"))


def test_usage_that_is_kept_for_ever_is_copied(tmp_path, pulled):
    """Around a moment at which something changed hands, the copy answers as the source does when usage is gone."""
    source = Source(tmp_path / "source").run(30).keep()
    source.recorder.wait(86_400)
    source.run(31).keep()
    moment = datetime.fromisoformat(START) + timedelta(minutes=12, seconds=20)
    span = datetime.fromisoformat(START), moment
    before = ask(Warehouse(source.root), "server", *span).to_pylist()
    source.keep(Rules({"readings": -10, "usage": -10}, grace_s=-1e12, cuts=(us(moment),)))
    assert len(list(source.tree.folder.glob("cuts/nfsd/*.parquet"))) == 1
    pulled(source).round()
    for root in (source.root, tmp_path / "copy"):
        assert ask(Warehouse(root), "server", *span).to_pylist() == before
        assert check(root).findings == []


def test_source_that_was_set_back_counts_once(tmp_path, pulled):
    """What only an abandoned state of the source held is put aside, so that nothing counts twice."""
    source = Source(tmp_path / "source").run(50).keep(KEPT)
    pull = pulled(source, KEPT)
    shutil.copytree(source.root, tmp_path / "snapshot")
    source.run(100).keep(KEPT)
    pull.round()
    shutil.rmtree(source.root)
    shutil.copytree(tmp_path / "snapshot", source.root)
    again = Source(tmp_path / "other").run(50)
    again.recorder.wait(120)
    again.recorder.rotate()  # with another name than before
    again.run(70)
    for path in journal.files(again.tree.journal):
        if not (source.tree.journal / path.name).exists():
            shutil.copy(path, source.tree.journal)
    source.keep(KEPT)
    truth = asked(source.root)
    pull.round()
    assert asked(tmp_path / "copy") == truth
    assert list((tmp_path / "copy" / "node=nas1" / "gone").iterdir())


def test_newer_store_is_refused_untouched(tmp_path, pulled):
    """A source of a later version is refused in a sentence, and nothing of it is copied."""
    source = Source(tmp_path / "source").run(3)
    (source.root / "store.json").write_text('{"nasacct_store": 2}\n')
    with pytest.raises(NasacctError, match=f"the store {source.root} has version 2, .*update") as caught:
        pulled(source).round()
    assert caught.value.status == DATA
    assert [p.name for p in (tmp_path / "copy").iterdir()] == ["store.json"]


def test_source_that_is_updated_later_is_refused_then(tmp_path, pulled):
    """The version is looked at whenever store.json changed."""
    source = Source(tmp_path / "source").run(3)
    pull = pulled(source)
    pull.round()
    (source.root / "store.json").write_text('{"nasacct_store": 22}\n')
    with pytest.raises(NasacctError, match="has version 22"):
        pull.round()


def test_tree_that_was_made_here_is_refused(tmp_path, pulled):
    """A collector's own tree is no copy and stays as it is."""
    source = Source(tmp_path / "source").run(3)
    mine = Source(tmp_path / "copy").run(5)
    before = files(tmp_path / "copy")
    with pytest.raises(NasacctError, match="node=nas1 is no copy: its readings were made here; pull into another"):
        pulled(source).round()
    assert files(tmp_path / "copy") == before
    assert not (mine.tree.folder / "pull.lock").exists()


def test_one_node_has_one_source(tmp_path, pulled):
    """Another source with a node of the same name is refused, until somebody says that it moved."""
    source = Source(tmp_path / "source").run(3)
    pull = pulled(source)
    pull.round()
    pull.__exit__()
    other = Source(tmp_path / "other").run(30)
    with pytest.raises(NasacctError, match=f"is a copy of {source.root}; say --moved if that is now") as caught:
        pulled(other).round()
    assert caught.value.status == CANT_CREATE
    pulled(other, moved=True).round()
    assert asked(tmp_path / "copy") == other.truth
    mark = json.loads((tmp_path / "copy" / "node=nas1" / "pulled.json").read_text())
    assert mark["from"] == str(other.root)


def test_second_pull_names_the_first(tmp_path, pulled):
    """Two pulls of one tree at once: the second is refused with the first one's pid."""
    source = Source(tmp_path / "source").run(3)
    pulled(source).round()
    with pytest.raises(NasacctError, match=r"`nasacct pull` already runs on .*: pid \d+ on .*; stop that one first"):
        pulled(source).round()


def test_collector_and_keeper_refuse_a_copy(tmp_path, pulled):
    """Both say where the copy comes from; `keep --once` passes copies over unless there is nothing else."""
    source = Source(tmp_path / "source").run(40)
    pulled(source).round()
    copy = tmp_path / "copy"
    for role in ("collect", "keep"):
        with pytest.raises(NasacctError, match=f"is a copy of {source.root}, .*run `nasacct {role}` there") as caught:
            lock(copy, "nas1", role)
        assert caught.value.status == DATA
    before = files(copy)
    with pytest.raises(NasacctError, match="is a copy of"):
        run_keeper(Config(root=copy, node="elsewhere"), once=True)
    mine = Source(copy, "mine").run(40)
    assert run_keeper(Config(root=copy, node="elsewhere"), once=True) == 0
    assert list(mine.tree.folder.glob("usage/nfsd/*.parquet"))
    assert {p: c for p, c in files(copy).items() if "node=nas1" in p} == before


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
