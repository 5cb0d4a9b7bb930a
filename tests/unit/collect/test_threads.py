"""The source `threads`: what nfsd's threads had read from the disks, by server."""

import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import usage_of

from nasacct.collect.descriptor import Descriptor
from nasacct.collect.machine import Listing, Server
from nasacct.collect.process import io
from nasacct.collect.sampler import Sampler
from nasacct.collect.threads import LINES, Threads
from nasacct.store.frame import Instant
from nasacct.store.ledger import Terms
from nasacct.store.schema import THREADS
from nasacct.store.standing import Standing

SECOND = 1_000_000_000
#: As Linux 6.12 prints it for an nfsd thread.
IO = """rchar: 0
wchar: 0
syscr: 0
syscw: 0
read_bytes: {}
write_bytes: {}
cancelled_write_bytes: 0
"""
STAT = "{} (nfsd) I 2 0 0 0 -1 2129984 0 0 0 0 0 71 0 0 20 0 1 0 {} 0 0 18446744073709551615 0 0 0 0 0 0\n"


class Nas:
    """Servers whose threads are files below a folder, under the source and a real sampler."""

    node, boot_id, kernel = "n", "boot", ""

    def __init__(self, folder, counting):
        self.folder, self.counting = folder, counting
        self.ns = 1_796_040_000 * SECOND
        self.servers, self.frames = {}, []

    def begin(self):
        self.sampler = Sampler(self, Standing(), self._build)
        self.begun = self.now()

    def _build(self, admit):
        self.source = Threads(admit, self.counting, proc=str(self.folder))
        return [self.source]

    def now(self):
        return Instant(self.ns, self.ns - 1_796_000_000 * SECOND)

    def start(self, name, inode):
        self.servers[name] = Server(name, f"boot/{name}", about={"netns": inode})

    def thread(self, tid, read, written=0, started=100, name="nfsd"):
        place = self.folder / str(tid)
        if place.exists() and f" {started} " not in (place / "stat").read_text():
            self.end_thread(tid)
        place.mkdir(exist_ok=True)
        (place / "comm").write_text(f"{name}\n")
        # one who keeps it open sees the new text, as of a file in /proc
        with (place / "io").open("r+" if (place / "io").exists() else "w") as file:
            file.truncate()
            file.write(IO.format(read, written))
        (place / "stat").write_text(STAT.format(tid, started))

    def call(self, inode, tid):
        self.counting.call(inode, str(tid))

    def end_thread(self, tid):
        # who keeps its file open reads nothing more
        (self.folder / str(tid) / "io").write_text("")
        shutil.rmtree(self.folder / str(tid))

    def stop(self, name):
        self._take(self.sampler.finals([self.source.final(self, self.servers.pop(name))]))

    def cycle(self, seconds=30):
        self.ns += seconds * SECOND
        self._take(self.sampler.cycle(Listing(tuple(self.servers.values()))))

    def usage(self):
        """By server, a list of (bytes read, bytes made dirty) in the order of time."""
        found = {}
        for row in usage_of(THREADS, self.frames, self.begun, Terms(10 * SECOND)):
            assert row["epoch"].count("/") == 1
            found.setdefault(row["server"], []).append((row["disk_read_bytes"], row["dirtied_bytes"]))
        return found

    def _take(self, frame):
        if frame is not None:
            self.frames.append(frame)


@pytest.fixture
def nas(tmp_path, histograms):
    """One server of two threads, which had read a lot before the source began, after the first cycle."""
    made = Nas(tmp_path, histograms())
    made.start("a", 1)
    made.thread(301, 1_000_000)
    made.thread(302, 2_000_000, 5_000)
    made.thread(1, 77, name="init")
    made.begin()
    made.cycle()
    yield made
    made.sampler.end()


def test_what_was_read_before_the_source_began_is_not_told(nas):
    """Not even of a thread that answers nothing for a while."""
    nas.thread(301, 1_000_500)
    nas.call(1, 301)
    nas.cycle()
    nas.cycle()
    nas.thread(302, 2_000_030, 5_007)
    nas.call(1, 302)
    nas.cycle()
    assert sum(read for read, _ in nas.usage()["a"]) == 530
    assert sum(dirtied for _, dirtied in nas.usage()["a"]) == 7


def test_threads_of_one_server_are_one_row(nas):
    """Usage has no row for each thread."""
    for read in (10, 20, 30):
        nas.thread(301, 1_000_000 + read)
        nas.thread(302, 2_000_000 + read)
        nas.call(1, 301)
        nas.call(1, 302)
        nas.cycle()
    assert [read for read, _ in nas.usage()["a"]] == [20, 20, 20]


def test_a_thread_that_is_born_counts_from_its_beginning(nas):
    """All that it has read is its server's."""
    nas.start("b", 2)
    nas.thread(401, 4_096, started=4_003_500)
    nas.call(2, 401)
    nas.cycle()
    assert nas.usage()["b"] == [(4_096, 0)]


def test_a_number_that_is_used_again_is_another_thread(nas):
    """Its counts begin at zero, and of the one that is gone the end is unknown."""
    nas.thread(301, 1_000_010)
    nas.call(1, 301)
    nas.cycle()
    nas.start("b", 2)
    nas.thread(301, 8, started=4_006_200)
    nas.call(2, 301)
    nas.cycle()
    nas.cycle()
    nas.thread(301, 12, started=4_006_200)
    nas.call(2, 301)
    nas.cycle()
    found = nas.usage()
    assert (10, 0) in found["a"]
    assert (None, None) in found["a"]
    assert sum(read for read, _ in found["b"]) in (4, 12)


def test_the_last_reading_of_a_server_is_taken_where_its_threads_still_are(nas):
    """Those that are gone have read nobody knows what."""
    nas.call(1, 301)
    nas.call(1, 302)
    nas.cycle()
    nas.thread(301, 1_000_900)
    nas.call(1, 301)
    nas.stop("a")
    assert (900, 0) in nas.usage()["a"]


def test_threads_that_are_gone_and_were_idle_have_read_nothing_more(nas):
    """Their end is as certain as their last reading; only of one that was called meanwhile it is unknown."""
    nas.thread(301, 1_000_010)
    nas.call(1, 301)
    nas.call(1, 302)
    nas.cycle()
    nas.end_thread(301)
    nas.end_thread(302)
    nas.stop("a")
    assert sum(read for read, _ in nas.usage()["a"]) == 10


def test_a_thread_that_ended_with_calls_since_the_last_look_is_unknown(nas):
    """Nobody knows what it read in the end."""
    nas.thread(301, 1_000_010)
    nas.call(1, 301)
    nas.cycle()
    nas.call(1, 301)
    nas.end_thread(301)
    nas.stop("a")
    assert [read for read, _ in nas.usage()["a"]] == [10, None]


def test_a_thread_that_answers_nothing_is_not_looked_at(nas, monkeypatch):
    """However many threads there are, a cycle costs what the active ones cost."""
    nas.call(1, 301)
    nas.cycle()
    looked = []
    real = Threads._look
    monkeypatch.setattr(Threads, "_look", lambda self, thread: looked.append(thread.tid) or real(self, thread))
    nas.call(1, 301)
    nas.cycle()
    assert looked == [301]


@given(st.binary())
def test_any_bytes_are_understood_or_are_none(text):
    """An io file that a kernel prints in another way makes no numbers up."""
    found = io(text, LINES)
    assert found is None or all(value >= 0 for value in found)


def test_both_numbers_are_needed():
    """One without the other is not believed."""
    assert io(IO.format(5, 6).encode(), LINES) == (5, 6)
    assert io(b"read_bytes: 5\n", LINES) is None


def test_a_file_that_is_kept_open_is_of_one_thread_only():
    """On this kernel: when the thread has ended the file cannot be read, whoever has its number by then."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    file = Descriptor(os.open(f"/proc/self/task/{thread.native_id}/io", os.O_RDONLY))
    assert io(file.text(), LINES) is not None
    done.set()
    thread.join()
    deadline = time.monotonic() + 10
    while Path(f"/proc/self/task/{thread.native_id}").exists():
        assert time.monotonic() < deadline
    with pytest.raises(ProcessLookupError):
        file.text()
