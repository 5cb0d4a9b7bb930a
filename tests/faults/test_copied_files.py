"""What a pull takes and deletes of segments, whatever became of them at the source."""

import shutil
from datetime import datetime, timedelta

from copying import AT_ONCE, KEPT, START, Source, asked, files, summed

from nasacct.reports.usage import ask
from nasacct.store import journal
from nasacct.store.check.whole import check
from nasacct.store.expiry import Rules
from nasacct.store.shelf import shelf
from nasacct.store.warehouse import Warehouse
from nasacct.times import us


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
