"""Files that the system does not let anybody read: told, left out, never taken for damaged, and counted again later."""

import errno
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from journals import Recorder

from nasacct.collect import daemon
from nasacct.errors import NasacctError
from nasacct.store import journal
from nasacct.store.keep import Rules, keep
from nasacct.store.schema import NFSD
from nasacct.store.shelf import shelf
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

AT_ONCE = Rules({"readings": 40, "usage": 400}, grace_s=-1e12)
LATER = datetime(2026, 11, 26, tzinfo=UTC).timestamp()
#: Neither root's rights nor anybody else's: files of others with mode 0600 are refused.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c"]
ASK = """
import json, sys, pathlib
from nasacct.store.warehouse import Warehouse
house = Warehouse(pathlib.Path(sys.argv[1]))
rows = house.query("SELECT server, sum(read_bytes)::BIGINT AS m FROM nfsd GROUP BY server", views=["nfsd"]).to_pylist()
print(json.dumps([{r["server"]: r["m"] for r in rows}, house.trouble]))
"""
KEEP = """
import sys, pathlib
from nasacct.store.keep import Rules, keep
from nasacct.store.tree import Tree
print(keep(Tree(pathlib.Path(sys.argv[1]), "nas1"), float(sys.argv[2]), Rules({"readings": 40, "usage": 400}, -1e12)))
"""


@pytest.fixture(autouse=True)
def root():
    """Only root can give files away."""
    if os.geteuid() != 0:
        pytest.skip("gives files to another user: run as root")


def record(where, days=2):
    """One server that reads 100 bytes a minute, a few minutes of each day in files of two."""
    recorder = Recorder(where, interval_s=60)
    server = recorder.thing("nfsd", server="srv1")
    for i in range(8 * days):
        if i and i % 2 == 0:
            recorder.rotate()
        recorder.cycle({server: {"read_bytes": 100 * i}}, seconds=86_000 if i and i % 8 == 0 else 60)
    return Tree(where, "nas1")


def powerless(program, *arguments):
    """What the program prints, and what it says besides."""
    done = subprocess.run(
        [*POWERLESS, program, *map(str, arguments)], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout), done.stderr


def foreign(path):
    """Give the file to somebody who lets nobody read it."""
    os.chown(path, 12345, 12345)
    path.chmod(0o600)


def own(path):
    """Take it back."""
    os.chown(path, 0, 0)
    path.chmod(0o640)


def added(where):
    """All bytes read that there are."""
    return powerless(ASK, where)[0][0]["srv1"]


def test_a_segment_of_another_user_is_told_and_left_out(tmp_path):
    """The other day is answered as before; the sentence names the file; when it can be read all is there again."""
    tree = record(tmp_path)
    keep(tree, LATER, AT_ONCE)
    first, second = shelf(tree.relation("usage", NFSD).folder).visible
    foreign(first.path)
    (sums, trouble), _ = powerless(ASK, tmp_path)
    assert sums == {"srv1": 1500 - 700}
    assert trouble == [f"{first.path} cannot be read now (permission denied); what it holds is missing"]
    assert second.path.exists()
    own(first.path)
    assert added(tmp_path) == 1500


def test_what_an_unreadable_segment_replaced_is_seen_while_it_is_there(tmp_path):
    """In the grace period a reader answers from the inputs."""
    tree = record(tmp_path)
    keep(tree, LATER, Rules(AT_ONCE.days, grace_s=1e12))
    for segment in shelf(tree.relation("usage", NFSD).folder).visible:
        foreign(segment.path)
    assert added(tmp_path) == 1500


def test_a_reader_may_lose_its_right_while_it_lives(tmp_path):
    """A footer that is remembered does not make a query fail when the file cannot be opened any more."""
    tree = record(tmp_path)
    keep(tree, LATER, AT_ONCE)
    program = ASK.replace("print", "import os\nos.chmod(sys.argv[2], 0)\nos.chown(sys.argv[2], 12345, 12345)\nprint")
    program = program.replace("print", program[program.index("rows =") : program.index("import os")] + "print")
    first, _ = shelf(tree.relation("usage", NFSD).folder).visible
    done = subprocess.run(
        [
            "setpriv",
            "--bounding-set=-all,+chown,+fowner",
            *POWERLESS[2:],
            program,
            str(tmp_path),
            str(first.path),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == [
        {"srv1": 800},
        [f"{first.path} cannot be read now (permission denied); what it holds is missing"],
    ]


def test_a_folder_of_another_user_fails_no_answer(tmp_path):
    """Nor does a whole tree of one."""
    tree = record(tmp_path)
    keep(tree, LATER, AT_ONCE)
    for folder in (tree.relation("usage", NFSD).folder, tree.journal, tree.folder):
        foreign(folder)
        folder.chmod(0o700)
        (_, trouble), _ = powerless(ASK, tmp_path)
        assert any(f"{folder}" in told and "permission denied" in told for told in trouble)
        own(folder)
        folder.chmod(0o750)
    assert added(tmp_path) == 1500


def test_a_keeper_does_nothing_around_what_it_cannot_read(tmp_path):
    """Its stream's steps fail, other streams' are done, nothing is put aside or deleted; later all is made up for."""
    tree = record(tmp_path)
    keep(tree, LATER - 86_400, Rules(AT_ONCE.days, grace_s=1e12))
    usage = tree.relation("usage", NFSD).folder
    part = next(s for s in shelf(usage).hidden if s.level == "part")
    foreign(part.path)
    before = set(usage.iterdir())
    failed, said = powerless(KEEP, tmp_path, LATER)
    assert failed > 0
    assert str(part.path) in said
    assert "permission denied" in said
    assert not tree.quarantine.exists()
    assert set(usage.iterdir()) == before
    assert {s.level for s in shelf(tree.relation("usage", NFSD).folder).visible} != {"day"}
    assert {s.level for s in shelf(tree.relation("readings", NFSD).folder).visible} == {"day"}
    own(part.path)
    assert keep(tree, LATER, AT_ONCE) == 0
    assert {s.level for s in shelf(usage).visible} == {"day"}
    assert not tree.quarantine.exists()
    assert added(tmp_path) == 1500


def test_a_journal_file_of_another_user_is_left_out_and_nothing_reaches_over_it(tmp_path):
    """What it holds is missing from the answer, not counted by its neighbours; the keeper waits for it."""
    tree = record(tmp_path, days=1)
    path = journal.files(tree.journal)[1]
    foreign(path)
    (sums, trouble), _ = powerless(ASK, tmp_path)
    # from its carry of 100 to its last reading of 300
    assert sums == {"srv1": 700 - 200}
    assert trouble == [f"{path} cannot be read now (permission denied); what it holds is missing"]
    failed, said = powerless(KEEP, tmp_path, LATER)
    assert failed > 0
    assert str(path) in said
    assert path.exists()
    assert not tree.quarantine.exists()
    own(path)
    assert added(tmp_path) == 700
    assert keep(tree, LATER, AT_ONCE) == 0
    assert added(tmp_path) == 700


def test_a_collector_does_not_begin_without_the_newest_file(tmp_path):
    """From an older one it would count again what the newest holds; it says which file, and why."""
    tree = record(tmp_path, days=1)
    path = journal.files(tree.journal)[-1]
    foreign(path)
    program = """
import json, sys, pathlib
from nasacct.collect.daemon import recover
from nasacct.errors import NasacctError
try:
    recover(pathlib.Path(sys.argv[1]))
except NasacctError as error:
    print(json.dumps(error.sentence))
"""
    said, _ = powerless(program, tree.journal)
    assert said == f"going on from {path} failed: permission denied; run it as a user who may"
    assert path.exists()


def failing(monkeypatch, path, number):
    """Make the system refuse to give what this file holds."""
    sound = Path.read_bytes

    def read_bytes(self):
        if self == path:
            raise OSError(number, os.strerror(number), str(self))
        return sound(self)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    monkeypatch.setattr(daemon, "PATIENCE_S", 0.05)
    monkeypatch.setattr(daemon, "AGAIN_S", 0.01)


def test_a_collector_puts_aside_what_the_medium_has_lost(tmp_path, monkeypatch):
    """After a while of EIO it goes on from the file before; what was lost is bridged, and counts once."""
    tree = record(tmp_path, days=1)
    path = journal.files(tree.journal)[-1]
    with monkeypatch.context() as patch:
        failing(patch, path, errno.EIO)
        standing, number = daemon.recover(tree.journal)
    assert number == journal.number_of(path) + 1
    assert standing.last("nfsd").of(np.array([1]))[2][0, NFSD.index["read_bytes"]] == 500
    assert [p.name for p in tree.quarantine.iterdir()] == [path.name]
    house = Warehouse(tmp_path)
    house.query("SELECT 1 FROM nfsd", views=["nfsd"])
    assert house.trouble == [f"{tree.quarantine / path.name} was put aside; what only it held is missing"]


def test_a_collector_waits_for_descriptors(tmp_path, monkeypatch):
    """EMFILE says nothing of the file: it stays, and the run does not begin without it."""
    tree = record(tmp_path, days=1)
    path = journal.files(tree.journal)[-1]
    failing(monkeypatch, path, errno.EMFILE)
    with pytest.raises(NasacctError, match="too many open files"):
        daemon.recover(tree.journal)
    assert path.exists()
