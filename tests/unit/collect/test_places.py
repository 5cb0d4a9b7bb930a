"""The source `places`: on which pool a server's exports lie, in which dataset, and how that syncs."""

import pytest
from block import Collector, Machine, Program
from zfs import pool

from nasacct.collect import places as module
from nasacct.collect.machine import Export, Server
from nasacct.collect.places import Places
from nasacct.store.mounts import mounts
from nasacct.store.schema import PLACES

MOUNTS = """
30 1 0:30 / /tank rw - zfs tank rw
31 1 0:31 / /tank/nas/1001 rw - zfs tank/nas/1001 rw
32 1 0:32 / /tank/nas/1001/my\\040photos rw - zfs tank/nas/1001/my\\040photos rw
34 1 9:0 / /srv rw - ext4 /dev/md0 rw
35 1 8:1 / /plain rw - ext4 /dev/sdc1 rw
36 1 0:99 / /ram rw - tmpfs none rw
"""
LIST = "tank/nas/1001\t71\t140\tstandard\ntank/nas/1001/my photos\t72\t147\tdisabled\n"


def server(name, *directories):
    exports = tuple(Export(directory, f"/export/{name}", host) for directory in directories for host in ("a", "b"))
    return Server(name, f"boot/{name}", exports=exports)


SERVERS = [
    server("101", "/tank/nas/1001/private", "/tank/nas/1001/other"),
    server("102", "/tank/nas/1001/my photos/private"),
    server("103", "/srv/data", "/plain/data/"),
    server("104", "/ram/x"),
    server("105"),
]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    made = Machine(tmp_path, "sda", "sdb", "sdc")
    made.device("md0", "sda1", "sdb1", number="9:0", array=True)
    (made.sys_root / "dev/block/8:1").symlink_to(made.sys_root / "devices/sdc/sdc1")
    monkeypatch.setattr(module, "mounts", lambda: mounts(MOUNTS))
    made.kstats = pool(tmp_path / "zfs")
    (made.kstats / "tank" / "guid").write_text("7\n")
    made.program = Program(tmp_path)
    made.program.says(LIST)
    made.collector = Collector(
        made,
        lambda admit: Places(admit, 1, runs=str(made.program.path), kstats=made.kstats, sys_root=made.sys_root),
    )
    yield made
    made.collector.end()


def look(machine, *servers):
    batch = machine.collector.cycle(*servers)
    return batch, machine.collector.rows(batch, PLACES)


def test_each_server_is_where_its_directories_are(machine):
    """Directories count once, for however many hosts; what no disk is below is not known, nor who shows nothing."""
    batch, rows = look(machine, *SERVERS)
    assert rows == {
        ("101", "7", "71", "7-8c"): {"exports": 2, "sync": 0},
        ("102", "7", "72", "7-93"): {"exports": 1, "sync": 2},
        ("103", "md0", None, None): {"exports": 1, "sync": 0},
        ("103", "sdc", None, None): {"exports": 1, "sync": 0},
    }
    assert (batch.complete, batch.note) == (True, "")
    asked = "list -Hp -t filesystem -o name,guid,objsetid,sync tank/nas/1001 tank/nas/1001/my photos\n"
    assert machine.program.asked.read_text() == asked
    assert look(machine, *SERVERS)[1] == {}


def test_who_syncs_otherwise_and_who_has_ended_is_told(machine):
    """As soon as somebody looks."""
    look(machine, *SERVERS)
    machine.program.says(LIST.replace("standard", "always"))
    batch, rows = look(machine, SERVERS[0])
    assert rows == {("101", "7", "71", "7-8c"): {"exports": 2, "sync": 1}}
    assert sorted({s.keys["server"] for s in batch.ended}) == ["102", "103"]


def test_of_a_pool_that_does_not_answer_is_known_what_it_said(machine):
    """And of what it was never asked, the pool; a dataset that is no more is no trouble."""
    machine.program.says(
        LIST.splitlines()[0] + "\n", "cannot open 'tank/nas/1001/my photos': dataset does not exist\n", 1
    )
    batch, rows = look(machine, *SERVERS[:2])
    assert (batch.complete, rows["102", "7", None, None]) == (True, {"exports": 1})
    (machine.kstats / "tank" / "state").write_text("SUSPENDED\n")
    batch, rows = look(machine, *SERVERS[:2])
    assert (batch.complete, batch.note, batch.ended, rows) == (False, "pool tank is suspended", [], {})
    (machine.kstats / "tank" / "state").write_text("ONLINE\n")
    machine.program.says("cut")
    batch, _ = look(machine, *SERVERS[:2])
    assert (batch.complete, batch.ended, batch.note.startswith("zfs list: line 1: ")) == (False, [], True)


def test_without_zfs_others_are_known(machine):
    """A pool without a guid, of ZFS before 2.2, has its name for one."""
    (machine.kstats / "tank" / "guid").unlink()
    assert ("101", "tank", "71", None) in look(machine, *SERVERS)[1]
    machine.kstats.rename(machine.folder / "gone")
    batch, rows = look(machine, SERVERS[2])
    assert (batch.complete, rows) == (True, {})
    assert {(s.keys["server"], s.keys["pool"]) for s in batch.listed} == {("103", "md0"), ("103", "sdc")}
