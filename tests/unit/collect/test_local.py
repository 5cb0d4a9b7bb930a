"""The source `local`: what other processes read and wrote, by their jobs, and never more than they did."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import KERNELS, Proc
from zfs import Clock

from nasacct.collect.local import CONTAINERS, LINES, MOST, OTHERS, Local
from nasacct.collect.machine import Listing
from nasacct.collect.process import TICKS, io
from nasacct.store.frame import Instant

#: When the first look is, in ticks after boot (`zfs.Clock`).
BEGAN = 1_020 * TICKS


@pytest.fixture
def proc(tmp_path):
    made = Proc(tmp_path)
    yield made
    made.sampler.end()


def test_growth_is_added_up_by_job(proc):
    """What was there before the first look counts from then on, what came later from its beginning."""
    proc.process(10, "rsync")
    proc.did(10, read=1000, taken=5000)
    assert proc.look() == {}
    proc.did(10, read=1500, taken=6000)
    proc.process(11, "rsync", started=BEGAN + 500)
    proc.did(11, dirtied=70)
    assert proc.look() == {"rsync": [500, 70, 1000, 0]}


def test_what_ends_takes_its_last_with_it_and_adds_nothing_when_its_number_comes_again(proc):
    """By when it began; the sums stay."""
    proc.process(10, "tar")
    proc.look()
    proc.did(10, read=100)
    proc.look()
    proc.ends(10)
    assert proc.look() == {"tar": [100, 0, 0, 0]}
    proc.process(10, "tar", started=BEGAN + 900)
    proc.did(10, read=30)
    assert proc.look() == {"tar": [130, 0, 0, 0]}


def test_what_a_process_has_of_its_children_is_told_once(proc):
    """The kernel adds to a parent's count all that a child did, once it has ended and the parent waited for it."""
    proc.process(10, "backup")
    proc.process(11, "tar", parent=10)
    proc.did(11, read=300)
    proc.look()
    proc.did(11, read=1000)
    assert proc.look() == {"tar": [700, 0, 0, 0]}
    proc.ends(11)
    proc.did(10, read=1000 + 50 + 7)
    # 50 that tar did since it was looked at last, and 7 of its parent's own
    assert proc.look() == {"tar": [700, 0, 0, 0], "backup": [57, 0, 0, 0]}


def test_what_a_process_has_of_its_childrens_children_is_told_once(proc):
    """When both have ended between two looks; and nothing is taken off of who waited for nobody."""
    proc.process(9, "runit")
    proc.process(10, "backup", parent=9)
    proc.process(11, "tar", parent=10)
    proc.look()
    proc.did(11, read=1000)
    proc.look()
    proc.ends(10)
    proc.ends(11)
    proc.did(9, read=1000)
    assert proc.look() == {"tar": [1000, 0, 0, 0]}
    proc.process(12, "tar", parent=9)
    proc.did(12, read=80)
    proc.look()
    proc.ends(12)
    proc.did(9, read=1005)
    assert proc.look() == {"tar": [1080, 0, 0, 0]}
    proc.did(9, read=1015)
    assert proc.look() == {"tar": [1080, 0, 0, 0], "runit": [10, 0, 0, 0]}


def test_processes_that_are_each_others_parents_end(proc):
    """Numbers may come again while processes are looked at."""
    proc.process(10, "a", parent=11)
    proc.process(11, "b", parent=10)
    proc.look()
    proc.ends(10)
    proc.ends(11)
    assert proc.look() == {}


def test_streams_of_zfs_are_told_apart(proc):
    """By what the program was asked to do; its other work is its own."""
    proc.process(10, "zfs", command=b"zfs\0recv\0-F\0tank/backup\0")
    proc.process(11, "zfs", command=b"/sbin/zfs\0send\0tank/a@b\0")
    proc.process(12, "zfs", command=b"zfs\0list\0")
    proc.look()
    for pid, done in ((10, {"taken": 900}), (11, {"given": 800}), (12, {"taken": 7})):
        proc.did(pid, **done)
    assert proc.look() == {"zfs recv": [0, 0, 900, 0], "zfs send": [0, 0, 0, 800], "zfs": [0, 0, 7, 0]}


def test_nobody_is_named_in_a_container_and_the_kernels_threads_are_none(proc):
    """Whatever their names are."""
    proc.process(10, "secret", space=2)
    proc.process(11, "hidden", space=3)
    proc.process(12, "nfsd", flags=KERNELS)
    proc.look()
    for pid in (10, 11, 12):
        proc.did(pid, read=100)
    assert proc.look() == {CONTAINERS: [200, 0, 0, 0]}


def test_who_is_ending_is_taken_for_nobodys_container(proc):
    """Its namespace is not seen any more; whose it was nobody knows."""
    proc.look()
    proc.process(10, "rsync")
    (proc.folder / "10" / "ns" / "pid").unlink()
    proc.did(10, read=100)
    assert proc.look() == {OTHERS: [100, 0, 0, 0]}


def test_of_many_jobs_the_later_ones_are_one(proc):
    """A node on which names never end fills no store."""
    for n in range(MOST + 5):
        proc.process(1000 + n, f"job-{n}")
    proc.look()
    for n in range(MOST + 5):
        proc.did(1000 + n, read=10)
    found = proc.look()
    assert len(found) == MOST + 1
    assert found[OTHERS] == [50, 0, 0, 0]


def test_names_of_any_kind_are_names(proc):
    """With brackets, line ends and bytes that are no text."""
    proc.process(10, "a) (b\n\udcff".encode("utf-8", "surrogateescape").decode("latin-1"))
    proc.look()
    proc.did(10, given=1)
    (name,) = proc.look()
    assert name.startswith("a) (b\n")


def test_who_may_not_be_looked_at_is_counted(proc, monkeypatch):
    """And never taken for one that did nothing and then all at once."""
    refused = {"10"}
    real = os.open

    def opened(path, *more, **named):
        if Path(path).parent.name in refused:
            raise PermissionError(13, "Permission denied")
        return real(path, *more, **named)

    monkeypatch.setattr(os, "open", opened)
    proc.process(10, "rsync")
    proc.did(10, read=5000)
    (batch,) = proc.sampler.cycle(Listing(())).batches
    assert batch.note == "1 processes may not be looked at"
    refused.clear()
    assert proc.look() == {}
    proc.did(10, read=5001)
    assert proc.look() == {"rsync": [1, 0, 0, 0]}


def test_real_processes_are_counted(tmp_path):
    """On this machine: one that was there, and one that came, each writes what it is told to."""
    script = (
        "import os, sys; f = open(sys.argv[1], 'wb')\nfor n in sys.stdin: f.write(bytes(int(n))); f.flush(); print(n)"
    )
    name = f"w{os.getpid()}"
    (tmp_path / name).symlink_to(sys.executable)

    def writer(file):
        # the interpreter's own name for itself is that of the link
        argv = [str(tmp_path / name), "-c", script, str(tmp_path / file)]
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def write(one, count):
        one.stdin.write(f"{count}\n")
        assert one.stdout.readline()

    source = Local(lambda _subject: 1, 1)
    machine = RealClock()
    with writer("a") as before:
        write(before, 1_000_000)
        source.read(machine, Listing(()))
        write(before, 2_000_000)
        with writer("b") as after:
            write(after, 3_000_000)
            batch = source.read(machine, Listing(()))
            rows = dict(zip([s.keys["job"] for s in batch.listed], batch.rows["local"].values.tolist(), strict=True))
            after.stdin.close()
        before.stdin.close()
    taken_and_given = rows[name][2:]
    # the lines that it says and its own beginning come on top
    assert 5_000_000 <= taken_and_given[1] < 5_001_000


def test_a_real_child_is_counted_once(tmp_path):
    """On this machine: a process that lets another one write, and waits for it."""
    name = f"c{os.getpid()}"
    (tmp_path / name).symlink_to(sys.executable)
    child = "import sys; f = open(sys.argv[1], 'wb'); f.write(bytes(3_000_000)); f.flush(); print(); input()"
    parent = (
        "import subprocess, sys; one = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)\n"
        "input(); one.communicate(b'\\n'); print(); input()"
    )
    program = str(tmp_path / name)
    argv = [program, "-c", parent, program, "-c", child, str(tmp_path / "file")]
    source, machine = Local(lambda _subject: 1, 1), RealClock()
    source.read(machine, Listing(()))

    def written():
        batch = source.read(machine, Listing(()))
        return sum(
            row[3]
            for subject, row in zip(batch.listed, batch.rows["local"].values.tolist(), strict=True)
            if subject.keys["job"] == name
        )

    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as one:
        assert one.stdout.readline()
        assert 3_000_000 <= written() < 3_100_000
        one.stdin.write("\n")
        assert one.stdout.readline()
        with_parents = written()
        one.stdin.write("\n")
    assert 3_000_000 < with_parents < 3_100_000


class RealClock(Clock):
    """This machine's."""

    def now(self):
        return Instant(time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))


@given(st.binary(max_size=200))
def test_any_bytes_are_numbers_or_nothing(text):
    """Of an io file."""
    found = io(text, LINES)
    assert found is None or (len(found) == 4 and min(found) >= 0)
