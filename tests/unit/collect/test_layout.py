"""The source `layout`: which whole disks make up which pool, with real answers of zpool and md."""

import errno
from pathlib import Path

import pytest
from block import Collector, Machine, Program
from zfs import pool

from nasacct.collect import layout as module
from nasacct.collect.layout import Layout
from nasacct.store.mounts import mounts
from nasacct.store.schema import LAYOUT

REAL = Path(__file__).parents[2] / "fixtures" / "zpool"
TANK, RZ = "4666080752214981108", "12036688460504631225"
MOUNTS = """
30 1 0:30 / /tank rw - zfs tank rw
33 1 0:25 / / rw - overlay overlay rw
50 33 9:0 / /md0 rw - ext4 /dev/md0 rw
51 33 254:304 / /plain rw - ext4 /dev/vdt rw
52 33 7:0 / /loop rw - ext4 /dev/loop0 rw
53 33 253:0 / /both rw - ext4 /dev/mapper/both rw
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    made = Machine(tmp_path, *(f"vd{letter}" for letter in "fghijklmnopqrst"))
    made.device("vdt", number="254:304")
    made.device("md0", "vdo", "vdp", number="9:0", array=True)
    made.device("loop0", number="7:0")
    made.files |= {
        "proc/mdstat": (REAL / "checked.mdstat").read_text(),
        "sys/module/zfs/parameters/zfs_txg_timeout": "15\n",
        "sys/module/zfs/parameters/zfs_dirty_data_max": "a lot\n",
    }
    monkeypatch.setattr(module, "mounts", lambda: mounts(MOUNTS))
    made.kstats = pool(pool(tmp_path / "zfs"), "rz")
    made.program = Program(tmp_path)
    made.program.says((REAL / "done.json").read_text())
    made.collector = Collector(
        made,
        lambda admit: Layout(admit, 1, runs=str(made.program.path), kstats=made.kstats, sys_root=made.sys_root),
    )
    yield made
    made.collector.end()


def disks(rows, name):
    """The pool's disks, by what they are for."""
    found = {}
    for (_, pool_name, _, role, device), _ in sorted(rows.items(), key=str):
        if pool_name == name and device:
            found.setdefault(role, []).append(device)
    return found


def test_pools_are_told_with_their_whole_disks(machine):
    """Of ZFS, of md, and what is below other file systems; loops, networks and memory are none."""
    batch = machine.collector.cycle()
    rows = machine.collector.rows(batch, LAYOUT)
    assert (batch.complete, batch.note) == (True, "")
    assert disks(rows, "tank") == {
        "data": ["vdf", "vdg"],
        "special": ["vdk"],
        "log": ["vdl"],
        "cache": ["vdm"],
        "spare": ["vdn"],
    }
    assert disks(rows, "rz") == {"data": ["vdh", "vdi"]}
    assert disks(rows, "md0") == {"data": ["vdo", "vdp"]}
    assert disks(rows, "md1") == {"data": ["vdq", "vdr"], "spare": ["vds"]}
    assert disks(rows, "vdt") == {"data": ["vdt"]}
    assert {key[2] for key in rows if key[1] == "vdt"} == {"disk"}
    assert not any(key[1] in ("loop0", "overlay", "both") for key in rows)
    assert rows[TANK, "tank", "zfs", None, None] == {"slices": 6, "state": 0, "txg_timeout_s": 15}
    assert rows["md0", "md0", "md", None, None] == {"slices": 2, "state": 0}
    assert rows[TANK, "tank", "zfs", "data", "vdf"] == {"slices": 1, "state": 0, "rotational": 1}
    assert rows[TANK, "tank", "zfs", "spare", "vdn"]["state"] == 6
    assert machine.program.asked.read_text() == "status -j --json-int rz tank\n"


def test_what_has_not_changed_is_not_told_again(machine):
    """Nothing has ended either."""
    machine.collector.cycle()
    batch = machine.collector.cycle()
    assert (batch.rows, batch.ended, len(batch.listed)) == ({}, [], 19)


def test_a_disk_that_is_replaced_ends_and_another_begins(machine):
    """While it is replaced both are of the pool; a disk of the same name that has another life is another one."""
    machine.collector.cycle()
    machine.program.says((REAL / "resilver0.json").read_text())
    rows = machine.collector.rows(machine.collector.cycle(), LAYOUT)
    assert disks(rows, "rz") == {"data": ["vdj"]}
    machine.program.says((REAL / "spare.json").read_text())
    batch = machine.collector.cycle()
    assert ("rz", "vdi") in {(s.keys["name"], s.keys["device"]) for s in batch.ended}
    machine.program.says((REAL / "done.json").read_text())
    assert disks(machine.collector.rows(machine.collector.cycle(), LAYOUT), "rz") == {"data": ["vdi"]}
    machine.program.says((REAL / "spare.json").read_text())
    rows = machine.collector.rows(machine.collector.cycle(), LAYOUT)
    assert rows[TANK, "tank", "zfs", "data", "vdg"]["state"] == 3
    assert disks(rows, "tank") == {"data": ["vdg", "vdn"]}
    machine.disk("vdf", rotational=False, life=2)
    batch = machine.collector.cycle()
    assert machine.collector.rows(batch, LAYOUT) == {
        (TANK, "tank", "zfs", "data", "vdf"): {"slices": 1, "state": 0, "rotational": 0}
    }
    assert [s.epoch for s in batch.ended] == [f"boot/disk/vdf-1/zfs/{TANK}/data"]


def test_old_zfs_is_understood_by_its_text(machine):
    """Its pools' guids are the kernel's, or their names where it tells none; after that it is not asked for JSON."""
    machine.program.says((REAL / "done.txt").read_text(), knows_json=False)
    (machine.kstats / "tank" / "guid").write_text(f"{TANK}\n")
    rows = machine.collector.rows(machine.collector.cycle(), LAYOUT)
    assert disks(rows, "tank")["data"] == ["vdf", "vdg"]
    assert {key[0] for key in rows if key[2] == "zfs"} == {TANK, "rz"}
    machine.collector.cycle()
    assert machine.program.asked.read_text().splitlines()[1:] == ["status -pP rz tank"] * 2


def test_a_pool_that_does_not_answer_stays_as_it_was(machine):
    """A suspended one is not asked, a program that fails says nothing of what has ended, a broken answer neither."""
    machine.collector.cycle()
    (machine.kstats / "tank" / "state").write_text("SUSPENDED\n")
    machine.program.says((REAL / "none.json").read_text())
    batch = machine.collector.cycle()
    assert (batch.complete, batch.note, batch.ended) == (False, "pool tank is suspended", [])
    assert machine.program.asked.read_text().splitlines()[-1] == "status -j --json-int rz"
    (machine.kstats / "tank" / "state").write_text("ONLINE\n")
    for text, errors, status, note in (
        ("", "cannot open 'tank': I/O error\n", 1, "cannot open 'tank': I/O error"),
        ("{", "", 0, "zpool status: line 1: it is no JSON"),
        ("", "", 1, "zpool status ended with status 1"),
        ('{"pools": {}}', "", 0, "zpool status says nothing of rz; zpool status says nothing of tank"),
    ):
        machine.program.says(text, errors, status)
        batch = machine.collector.cycle()
        assert (batch.complete, batch.ended, note in batch.note) == (False, [], True)
    machine.program.path.unlink()
    assert "program" in machine.collector.cycle().note
    machine.program.says((REAL / "done.json").read_text())
    batch = machine.collector.cycle()
    assert (batch.complete, batch.ended) == (True, [])


def test_without_zfs_and_md_there_are_other_disks(machine):
    """A broken mdstat is told; a partition, and what is mapped over two disks, lies on whole ones."""
    machine.kstats.rename(machine.folder / "gone")
    del machine.files["proc/mdstat"]
    machine.device("dm-0", "vdq1", "vdr", number="253:0")
    (machine.sys_root / "dev/block/254:304").unlink()
    (machine.sys_root / "dev/block/254:304").symlink_to(machine.sys_root / "devices/vdt/vdt1")
    batch = machine.collector.cycle()
    rows = machine.collector.rows(batch, LAYOUT)
    assert disks(rows, "vdt") == {"data": ["vdt"]}
    assert disks(rows, "dm-0") == {"data": ["vdq", "vdr"]}
    assert {key[1] for key in rows} == {"vdt", "dm-0"}
    assert batch.complete
    machine.files["proc/mdstat"] = "rc 0 1 2\n"
    batch = machine.collector.cycle()
    assert (batch.complete, "stands where an array must" in batch.note) == (False, True)


def test_the_second_look_comes_soon(machine):
    """Only between two looks something is known to be so."""
    machine.collector.source._interval_s = 300.0
    assert machine.collector.source.pace_s == 10
    machine.collector.cycle()
    assert machine.collector.source.pace_s == 10
    machine.collector.cycle()
    assert machine.collector.source.pace_s == 300


def test_it_is_not_looked_at_more_often_than_its_budget_allows(machine):
    """What the program takes counts."""
    machine.collector.source._share = 1e-6
    batch = machine.collector.cycle()
    assert batch.cpu_us > 0
    assert machine.collector.source.pace_s > batch.cpu_us


def test_without_a_list_of_disks_it_fails(machine, monkeypatch):
    """And says why."""

    def none():
        raise OSError(errno.ENOENT, "no /sys")

    monkeypatch.setattr(machine, "disks", none)
    batch = machine.collector.cycle()
    assert (batch.complete, "no /sys" in batch.note) == (False, True)
