"""The source `space`: what it asks of whom, and what it makes of the answers of a program in the place of `zfs`."""

import os
import time
from pathlib import Path

import pytest
from zfs import Nas, pool

from nasacct.collect import program
from nasacct.collect import space as module
from nasacct.collect.machine import Export, Listing, Server
from nasacct.collect.space import shown, topmost
from nasacct.store.frame import ABSENT
from nasacct.store.mounts import mounts

REAL = Path(__file__).parents[2] / "fixtures" / "zfs"
MOUNTS = """
30 1 0:30 / /tank rw - zfs tank rw
31 1 0:31 / /tank/nas/1001 rw - zfs tank/nas/1001 rw
32 1 0:32 / /tank/nas/1001/my\\040photos rw - zfs tank/nas/1001/my\\040photos rw
33 1 0:33 / /tank/vpsadmin/mount/12.clone rw - zfs tank/vpsadmin/mount/12.clone rw
34 1 0:34 / /srv rw - ext4 /dev/sda rw
"""


def server(directory, path, name="1"):
    return Server(name, f"boot/{name}", exports=(Export(directory, path, "*"),))


SERVERS = [
    server("/tank/nas/1001/my photos/private", "/export/1001/my photos"),
    server("/tank/vpsadmin/mount/12.clone/private", "/export/1001-2026-11-27T01:00:00Z"),
    server("/srv/data", "/export/data"),
]


@pytest.fixture
def nas(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "mounts", lambda: mounts(MOUNTS))
    made = Nas(tmp_path)
    yield made
    made.source.close()
    made.sampler.end()


def rows(batch):
    by_sid = {s.sid: s.about["name"] for s in batch.listed}
    found = batch.rows.get("space")
    return (
        {}
        if found is None
        else {by_sid[sid]: row for sid, row in zip(found.sids.tolist(), found.values.tolist(), strict=True)}
    )


def test_shown_datasets_are_found_by_their_mounts():
    """Whatever they are called; a snapshot's clone and other file systems are left out."""
    assert shown(SERVERS, mounts(MOUNTS)) == {"tank/nas/1001/my photos"}


def test_a_real_table_of_mounts_is_understood():
    """A dataset is what is mounted where the directory is, or the nearest one above it."""
    real = mounts((REAL / "mountinfo").read_text())
    served = [server(f"/tank/{path}/private", f"/export/{path}") for path in ("nas/1001/two words", "nas/1001/plain/a")]
    assert shown(served, real) == {"tank/nas/1001/two words", "tank/nas/1001"}


def test_what_is_below_another_is_not_asked_twice():
    """Nor is a neighbour taken for a child."""
    assert topmost({"tank/a/b", "tank/a", "tank/ab", "tank/c/d"}) == ["tank/a", "tank/ab", "tank/c/d"]


def test_pools_what_is_shown_and_what_is_above_it_are_asked_for(nas):
    """The latter with all that is below; rows are what changed."""
    batch = nas.cycle(*SERVERS)
    first, second = nas.asked.read_text().splitlines()
    assert first.split("|")[:4] == ["list", "-Hp", "-t", "filesystem,volume"]
    assert first.split("|")[6:-1] == ["tank", "tank/nas", "tank/nas/1001"]
    assert second.split("|")[6:-1] == ["-r", "tank/more", "tank/nas/1001/my photos"]
    assert rows(batch) == {"tank": [500, 100, 900, ABSENT, ABSENT, 0]}
    assert (batch.complete, batch.note, batch.failed) == (True, "", {})
    assert batch.cpu_us > 0
    assert rows(nas.cycle(*SERVERS)) == {}
    nas.says("tank\t1\t501\t100\t899\t-\t-\t0\n")
    assert rows(nas.cycle(*SERVERS)) == {"tank": [501, 100, 899, ABSENT, ABSENT, 0]}


def test_a_renamed_dataset_is_the_same_and_a_destroyed_one_has_ended(nas):
    """By its guid."""
    two = "tank\t1\t5\t1\t9\t-\t-\t0\ntank/a\t2\t5\t1\t9\t-\t-\t0\n"
    nas.says(two)
    before = {s.about["name"]: s.sid for s in nas.cycle().listed}
    nas.says(two.replace("tank/a", "tank/b"))
    assert {s.about["name"]: s.sid for s in nas.cycle().listed} == {"tank": before["tank"], "tank/b": before["tank/a"]}
    nas.says(two.splitlines(keepends=True)[0], (REAL / "none.err").read_text(), status=1)
    batch = nas.cycle()
    assert batch.complete
    assert [s.about["name"] for s in batch.ended] == ["tank/b"]


def test_a_dataset_that_is_renamed_in_a_later_run_is_called_so_in_the_next_head(nas):
    """Though it was met by the run before."""
    nas.cycle()
    nas.sampler.end()
    nas.start()
    nas.cycle()
    nas.says("pond\t1\t500\t100\t900\t-\t-\t0\n")
    assert nas.cycle().ended == []
    assert [subject.about["name"] for subject in nas.standing.live.values()] == ["pond"]


@pytest.mark.parametrize(
    ("text", "errors", "note"),
    [
        ("", "cannot open 'tank': I/O error\n", "cannot open 'tank': I/O error; cannot open 'tank': I/O error"),
        ("tank\t1\t5G\n", "", "zfs list: line 1: it has 3 fields, not 8"),
    ],
)
def test_what_cannot_be_had_ends_nothing(nas, text, errors, note):
    """The datasets that were known are told as not listed, and the reason is told."""
    nas.cycle()
    nas.says(text, errors, status=1 if errors else 0)
    batch = nas.cycle()
    assert (batch.complete, batch.note, batch.ended) == (False, note, [])
    assert list(batch.failed.values()) == ["not listed"]


def test_a_pool_that_stands_still_is_not_asked(nas):
    """What is known of it stays; the others are asked."""
    nas.cycle()
    (nas.kstats / "tank" / "state").write_text("SUSPENDED\n")
    pool(nas.kstats, "other")
    nas.says("other\t9\t5\t1\t9\t-\t-\t0\n")
    nas.asked.unlink()
    batch = nas.cycle(*SERVERS)
    assert [line.split("|")[6:-1] for line in nas.asked.read_text().splitlines()] == [["other"]]
    assert {s.about["name"]: why for s, why in batch.failed.items()} == {"tank": "not listed"}
    assert rows(batch) == {"other": [5, 1, 9, ABSENT, ABSENT, 0]}
    assert batch.ended == []
    assert batch.note == "pool tank is suspended"
    # nor does a run that begins meanwhile take them for gone
    nas.sampler.end()
    nas.start()
    assert nas.cycle(*SERVERS).ended == []


def test_no_cycle_waits_for_a_program_that_does_not_answer(nas, monkeypatch, caplog):
    """It is told; and no second one is run beside it."""
    monkeypatch.setattr(program, "_SLOW_S", 0.01)
    fifo = nas.folder / "fifo"
    os.mkfifo(fifo)
    nas.says("tank\t1\t5\t1\t9\t-\t-\t0\n", first=f"[ -p {fifo} ] && read line < {fifo} && rm {fifo}")
    began = time.thread_time()
    while "it is waited for" not in caplog.text:
        assert nas.sampler.cycle(Listing(())).batches == []
        time.sleep(0.01)
        assert time.thread_time() - began < 60
    fifo.write_text("go on\n")
    assert rows(nas.cycle())["tank"][0] == 5
    assert len(nas.asked.read_text().splitlines()) == 2


def test_a_program_that_hangs_ends_with_the_source(nas):
    """Killed, as far as the system lets it be."""
    fifo = nas.folder / "fifo"
    os.mkfifo(fifo)
    nas.says("", first=f"read line < {fifo}")
    while nas.source._program._running is None:
        nas.sampler.cycle(Listing(()))
        time.sleep(0.01)
    nas.source.close()
    batch = nas.cycle()
    assert "zfs list ended with status -9" in batch.note


def test_without_the_program_or_a_pool_it_says_so(nas):
    """As every source does."""
    (nas.folder / "zfs-program").unlink()
    assert "zfs-program" in nas.cycle().note
    for path in (nas.kstats / "tank").iterdir():
        path.unlink()
    assert nas.cycle().note == "there is no pool"
