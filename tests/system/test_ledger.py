"""Usage of real links, from the kernel's counters to the answer, equals what every namespace said of itself."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from spaces import eventually, ip, talk

from nasacct.reports import usage_rows
from nasacct.store import journal

pytestmark = pytest.mark.system

WAYS = ("received_bytes", "sent_bytes")


class Nas:
    """A store, and the collector and keeper that this machine's namespaces are given to."""

    def __init__(self, folder):
        self.root, self.log = folder / "store", folder / "log"
        self.journal = self.root / "node=n" / "journal"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("NASACCT_")} | {
            "NASACCT_CONFIG": "/dev/null",
            "NASACCT_NODE": "n",
            "NASACCT_ROOT": str(self.root),
            "NASACCT_SERVERS__EXPORTFS": "",
            "NASACCT_SERVERS__COUNTER": "snmp",
            "NASACCT_SOURCES__ENABLED": "links",
        }

    @contextmanager
    def collecting(self):
        """`nasacct collect`, from its first cycle on; surely ended."""
        had = len(journal.files(self.journal))
        command = [sys.executable, "-m", "nasacct", "collect", "--interval", "1s"]
        with self.log.open("ab") as log, subprocess.Popen(command, env=self.env, stdout=log, stderr=log) as process:
            try:
                eventually(lambda: len(self.frames()) > had and self.frames()[-1] >= 1, within_s=30)
                yield process
            finally:
                process.kill()

    def frames(self):
        """How many frames each journal file has."""
        found = []
        for path in journal.files(self.journal):
            try:
                found.append(len(journal.read(path).frames))
            except journal.JournalError:
                found.append(0)
        return found

    def ended(self, *links):
        """Whether the journal tells the ends of these links."""
        told = set()
        for path in journal.files(self.journal):
            told |= {s.keys["link"] for f in journal.read(path).frames for b in f.batches for s in b.ended}
        return told >= set(links)

    def keep(self):
        """`nasacct keep --once`."""
        subprocess.run([sys.executable, "-m", "nasacct", "keep", "--once"], env=self.env, check=True, timeout=120)

    def usage(self, *spaces):
        """The answer for these namespaces, by name."""
        names = {space.name for space in spaces}
        return {row["server"]: row for row in usage_rows.usage(self.root) if row["server"] in names}


@pytest.fixture
def nas(tmp_path):
    return Nas(tmp_path)


def settled(space):
    """What eth0 inside has moved, (received, sent), once it moves no more."""

    def still():
        now = space.inside()[:2]
        return now if space.host_view() == now and space.inside()[:2] == now else None

    return eventually(still)


def exact(row, moved):
    """The answer is this, to the byte."""
    assert [row[f"{way}_quality"] for way in WAYS] == ["exact", "exact"]
    assert tuple(row[way] for way in WAYS) == moved


def test_links_that_are_loaded_killed_and_made_again_are_counted_to_the_byte(nas, world):
    """Traffic between cycles, while no collector runs, up to the end of a link: all of it, or within the stated bound.

    One namespace ends while the collector is dead and comes back under its name with more than it had counted before;
    another one is stopped in the order of osctl-exportfs, the host's end of its link first.
    """
    stays, overtakes, stops = world.spaces(3, addresses=True)
    before = {space: settled(space) for space in (stays, overtakes, stops)}
    with nas.collecting() as collector:
        talk(stays, 300_000)
        talk(overtakes, 200_000)
        talk(stops, 100_000)
        eventually(lambda: sum(nas.frames()) >= 3, within_s=30)
        collector.send_signal(signal.SIGKILL)
        collector.wait(30)
    talk(stays, 150_000)
    talk(overtakes, 50_000)
    first_life = settled(overtakes)
    world.take_away(overtakes)
    eventually(overtakes.gone)
    world.make(overtakes, addresses=True)
    talk(overtakes, 1_000_000)
    with nas.collecting() as collector:
        talk(overtakes, 70_000)
        talk(stops, 400_000)
        last = settled(stops)
        ip(f"link del {stops.link}")
        world.take_away(stops)
        eventually(lambda: nas.ended(stops.link), within_s=30)
        talk(stays, 1_000)
        ends = {space: settled(space) for space in (stays, overtakes)}
        collector.send_signal(signal.SIGTERM)
        assert collector.wait(60) == 0
    for kept in (False, True):
        if kept:
            nas.keep()
        said = nas.usage(stays, overtakes, stops)
        exact(said[stays.name], _less(ends[stays], before[stays]))
        exact(said[stops.name], _less(last, before[stops]))
        row = said[overtakes.name]
        truth = [a + b for a, b in zip(_less(first_life, before[overtakes]), ends[overtakes], strict=True)]
        for way, moved, second in zip(WAYS, truth, ends[overtakes], strict=True):
            assert row[f"{way}_quality"] == "bounded"
            assert second < row[way] <= moved <= row[f"{way}_max"]


def _less(now, before):
    return tuple(a - b for a, b in zip(now, before, strict=True))
