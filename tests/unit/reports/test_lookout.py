"""The lookout: disks that do not keep up are told within a minute; later that is confirmed or withdrawn."""

import logging
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from journals import Recorder

from nasacct.cli.chores import Chores
from nasacct.config.tables import Config
from nasacct.reports import lookout
from nasacct.reports.attribution.thresholds import Thresholds
from nasacct.reports.episode_list import ledgers, listed
from nasacct.reports.lookout import Lookout
from nasacct.reports.naming import name_of
from nasacct.store import judged, root
from nasacct.store.tree import Tree

LIMITS = Thresholds()
START = int(datetime(2026, 11, 23, 10, tzinfo=UTC).timestamp())
CALM, BUSY = 1000, 10_000


class Node:
    """A node whose disk is written to the journal cycle by cycle, and a lookout that looks after each."""

    def __init__(self, where, start="2026-11-23T10:00:00+00:00"):
        root.prepare(where)
        self.where, self.tree = where, Tree(where, "nas1")
        self.recorder = Recorder(where, node="nas1", start=start, interval_s=10)
        self.disk = self.recorder.thing("disks", disk="d", device="sda")
        self.machine = self.recorder.thing("node")
        self.busy, self.cycles = 0, 0
        self.lookout = Lookout(self.tree, LIMITS, None, name_of)

    def run(self, cycles, grows):
        """So many cycles in which the disk is busy for so many ms each."""
        for _ in range(cycles):
            self.cycle(grows)
            self.lookout.look()
        return self

    def cycle(self, grows):
        """One, after which nobody looks."""
        self.busy += grows
        self.cycles += 1
        self.recorder.cycle({self.disk: {"ms_io": self.busy}, self.machine: {"io_some_us": self.cycles}})

    @property
    def told(self):
        """What is kept of the pool."""
        return judged.provisional(self.tree).get("nas1", {}).get("episodes", [])


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path / "store").run(30, CALM)


def test_it_is_told_within_half_a_minute_of_samples(node, caplog):
    """With the third of four that are saturated, and once."""
    assert node.told == []
    node.run(2, BUSY)
    assert node.told == []
    node.run(1, BUSY)
    begin = START + 290
    assert node.told == [{"id": name_of("nas1", begin), "from": begin, "to": None, "state": "goes on"}]
    node.run(10, BUSY)
    assert len(node.told) == 1
    told = [each.getMessage() for each in caplog.records if "do not keep up" in each.getMessage()]
    expected = "the disks of pool nas1 do not keep up since 2026-11-23T10:04:50Z: 100 % busy, "
    assert told == [f"{expected}episode nas1-20261123-100450 (provisional)"]


@pytest.mark.parametrize("calm", [None, 20])
@pytest.mark.parametrize("looks_at", [1, 4, 9, 14])
@pytest.mark.parametrize("begins", [0, 3, 7])
def test_it_is_told_within_a_minute(tmp_path, begins, looks_at, calm):
    """However cycles lie to samples, and looks to cycles; also if one of the first samples is not saturated."""
    node = Node(tmp_path / "store", start=f"2026-11-23T10:00:0{begins}+00:00").run(20, CALM)
    # the disk is busy from the first second on, which follows the last cycle
    seconds, at = 0, looks_at
    while not node.told and seconds < 120:
        seconds += 1
        if seconds % 10 == 0:
            node.cycle(CALM if seconds == calm else BUSY)
        if seconds >= at:
            node.lookout.look()
            at = seconds + node.lookout.pause_s
    (told,) = node.told
    assert START + begins + 200 + seconds - told["from"] <= 60


def test_what_lasts_ends_and_what_does_not_is_withdrawn(node, caplog):
    """And said so; who asks for all is told of what was withdrawn."""
    caplog.set_level(logging.INFO)
    node.run(12, BUSY).run(10, CALM)
    assert [(each["state"], each["to"] - each["from"]) for each in node.told] == [("ended", 120)]
    node.run(20, CALM).run(3, BUSY).run(10, CALM)
    assert [(each["state"], each["to"] - each["from"]) for each in node.told[1:]] == [("withdrawn", 30)]
    assert "took 30 s and is withdrawn: too short" in caplog.records[-1].getMessage()
    span = START, START + 3600
    known = ledgers(node.where, None, LIMITS, None, span)
    every = listed(known, span, None, None, every=True)
    assert [(each["id"], each["state"]) for each in every if each["state"] == "withdrawn"] == [
        (node.told[1]["id"], "withdrawn")
    ]
    assert all(each["state"] != "withdrawn" for each in listed(known, span, None, None, every=False))


def test_what_the_day_says_later_counts(node, caplog):
    """What is among its episodes is confirmed and told no more; what is not is withdrawn."""
    caplog.set_level(logging.INFO)
    node.run(12, BUSY).run(40, CALM).run(12, BUSY).run(10, CALM)
    first, second = node.told
    judged.write_text(
        node.tree, "nas1", "episodes", judged.day_of(START), {"episodes": [dict(first) | {"id": "x"}], "normal": [1, 1]}
    )
    node.run(1, CALM)
    assert node.told == [second | {"state": "withdrawn"}]
    said = [each.getMessage() for each in caplog.records]
    assert f"episode {first['id']} of pool nas1 is confirmed as x" in said
    assert any(f"{second['id']} of pool nas1 is withdrawn" in each for each in said)


def test_a_keeper_that_was_ended_goes_on(node):
    """It does not tell the same again, and sees the end."""
    node.run(12, BUSY)
    before = node.told
    node.lookout = Lookout(node.tree, LIMITS, None, name_of)
    node.run(1, BUSY)
    assert node.told == before
    node.lookout = Lookout(node.tree, LIMITS, None, name_of)
    node.run(8, CALM)
    assert [each["state"] for each in node.told] == ["ended"]


def test_a_new_journal_file_changes_nothing(node):
    """What is looked at reaches into the one before."""
    node.run(2, BUSY)
    node.recorder.rotate()
    node.run(1, BUSY)
    assert [each["from"] for each in node.told] == [START + 290]


def test_disks_are_those_of_the_pools_that_were_judged(node):
    """And where a pool's are known, no others."""
    facts = {"start": 0, "rotational": True, "disks": ["sdb"]}
    day = judged.day_of(START - 86_400)
    judged.write_text(node.tree, "tank", "episodes", day, {"episodes": [], "normal": [None, None]})
    judged.write_table(node.tree, "tank", "facts", day, pa.table({"present": [True]}), facts)
    node.run(12, BUSY)
    assert judged.provisional(node.tree) == {}


def test_looking_takes_no_large_packages():
    """The keeper looks all the time, so it would hold them all the time."""
    program = (
        "import sys, nasacct.cli.chores, nasacct.reports.lookout; print({*sys.modules} & {'duckdb', 'scipy', 'pandas'})"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"


def test_the_keeper_looks_until_it_ends(node, monkeypatch):
    """On a thread of its own; what cannot be looked at ends nothing."""
    looked = threading.Event()

    def look(_):
        if looked.is_set():
            raise OSError(5, "Input/output error")
        looked.set()

    monkeypatch.setattr(lookout, "PAUSE_S", 0.001)
    monkeypatch.setattr(Lookout, "look", look)
    chores = Chores(Config(root=node.where, node="nas1"), watch=True)
    chores.begin(node.tree)
    assert looked.wait(60)
    chores.end()
    assert not any(thread.is_alive() for thread in chores._threads)
