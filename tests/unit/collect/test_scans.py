"""The source `scans`: what scrubs, resilvers and checks have read, with real answers of zpool and md."""

import json
import shutil
from pathlib import Path

import pytest
from block import Collector, Machine, Program
from journals import usage_of
from zfs import pool

from nasacct.collect.scans import Scans
from nasacct.store.frame import Instant
from nasacct.store.ledger import Terms
from nasacct.store.schema import SCANS

HERE = Path(__file__).parents[2] / "fixtures"
REAL = HERE / "zpool"
TANK, RZ = "4666080752214981108", "12036688460504631225"
STARTED_S = 1795818723


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    # it began before the scrub
    made.ns = (STARTED_S - 60) * 1_000_000_000
    made.kstats = pool(pool(tmp_path / "zfs"), "rz")
    made.program = Program(tmp_path)
    made.program.says((REAL / "none.json").read_text())
    made.start = lambda standing=None: Collector(
        made, lambda admit: Scans(admit, 30, runs=str(made.program.path), kstats=made.kstats), standing
    )
    made.collector = made.start()
    yield made
    made.collector.end()


def look(machine, name=None, **changes):
    """What the source brings when zpool says that; a scan's changes are tank's."""
    if name is not None:
        text = json.loads((REAL / f"{name}.json").read_text())
        text["pools"]["tank"].get("scan_stats", {}).update(changes)
        machine.program.says(json.dumps(text))
    machine.ns += 30 * 1_000_000_000
    return machine.collector.cycle()


def rows(machine, batch):
    return machine.collector.rows(batch, SCANS)


def test_a_scrub_counts_from_its_start(machine):
    """It began after the last look, in which it was not; each byte is read by both disks of the mirror."""
    assert look(machine).listed == []
    assert machine.collector.source.pace_s == 30
    batch = look(machine, "scrub1")
    assert rows(machine, batch)[TANK, "scrub"] == {
        "issued_bytes": 59668992,
        "to_examine_bytes": 89770496,
        "running": 1,
        "copies_hundredths": 199,
    }
    (subject,) = [s for s in batch.listed if s.keys["pool"] == TANK]
    assert (subject.epoch, subject.about["born_ns"]) == (f"zfs/{TANK}/scrub-{STARTED_S}/0", STARTED_S * 10**9)
    assert subject.after is not None
    assert machine.collector.source.pace_s == 10


def test_what_a_scrub_read_is_usage_since_its_start(machine):
    """All of it, from the moment at which it began, though it was seen first later; what ends adds nothing."""
    for name in (None, "scrub1", "paused", "done", "spare"):
        look(machine, name)
    frames = machine.collector.frames
    rows = usage_of(SCANS, frames, Instant(frames[0].at.wall_ns, frames[0].at.boot_ns), Terms(30 * 10**9))
    scrubs = [r for r in rows if (r["pool"], r["function"]) == (TANK, "scrub") and r["issued_bytes"] is not None]
    assert sum(r["issued_bytes"] for r in scrubs) == 89684480
    assert scrubs[0]["t0"].timestamp() == STARTED_S


def test_paused_and_over_it_is_the_same(machine):
    """Until another one begins it is told of, without any more; a resilver of a mirror reads one of its disks."""
    look(machine)
    began = look(machine, "scrub1").listed
    assert rows(machine, look(machine, "paused"))[TANK, "scrub"]["running"] == 0
    batch = look(machine, "done")
    assert rows(machine, batch) == {}
    assert (batch.listed, batch.ended, machine.collector.source.pace_s) == (began, [], 30)
    batch = look(machine, "spare")
    assert rows(machine, batch)[TANK, "resilver"]["copies_hundredths"] == 100
    assert {(s.keys["pool"], s.keys["function"]) for s in batch.ended} == {(TANK, "scrub"), (RZ, "scrub")}


def test_it_is_not_looked_at_more_often_than_its_budget_allows(machine):
    """A program that takes long is run less often."""
    machine.collector.source._share = 1e-6
    look(machine, "scrub1")
    assert machine.collector.source.pace_s > 300


def test_a_scrub_that_an_import_set_back_has_another_life(machine):
    """What is done again is read again, and what it had read before is not counted twice."""
    shutil.copy(HERE / "zfs/life/7-turned/tank/iostats", machine.kstats / "tank" / "iostats")
    look(machine)
    look(machine, "scrub1")
    # long after its start, so that it cannot have been overlooked
    machine.ns += 3600 * 10**9
    look(machine, "scrub1", issued=60_000_000)
    shutil.copy(HERE / "zfs/life/9-imported/tank/iostats", machine.kstats / "tank" / "iostats")
    batch = look(machine, "scrub1", issued=50_000_000)
    (after,) = [s for s in batch.listed if s.keys["pool"] == TANK]
    assert after.epoch.startswith(f"zfs/{TANK}/scrub-{STARTED_S}/")
    assert [s.keys["pool"] for s in batch.ended] == [TANK]
    assert after.after is None


def test_another_run_of_the_collector_goes_on(machine):
    """The life is the same."""
    look(machine)
    (before,) = [s for s in look(machine, "scrub1").listed if s.keys["pool"] == TANK]
    machine.collector.end()
    machine.collector = machine.start(machine.collector.standing)
    (now,) = [s for s in look(machine, "scrub1", issued=70_000_000).listed if s.keys["pool"] == TANK]
    assert (now.sid, now.epoch) == (before.sid, before.epoch)


def test_what_md_checks_is_counted_since_it_was_seen(machine):
    """Where it is when it is seen first may be where it was stopped; one that begins again is another one."""
    machine.files["proc/mdstat"] = (REAL / "check1.mdstat").read_text()
    batch = look(machine)
    assert rows(machine, batch) == {
        (device, "check"): {
            "issued_bytes": 0, "to_examine_bytes": whole, "running": 1, "copies_hundredths": 200,
        }
        for device, whole in (("md0", 66060288), ("md1", 65011712))
    }  # fmt: skip
    machine.files["proc/mdstat"] = machine.files["proc/mdstat"].replace("(23044/", "(30000/")
    assert rows(machine, look(machine)) == {
        ("md1", "check"): {
            "issued_bytes": (30000 - 23044) * 1024, "to_examine_bytes": 65011712, "running": 1,
            "copies_hundredths": 200,
        }
    }  # fmt: skip
    machine.files["proc/mdstat"] = machine.files["proc/mdstat"].replace("(30000/", "(10/")
    batch = look(machine)
    assert rows(machine, batch)["md1", "check"]["issued_bytes"] == 0
    assert [s.keys["pool"] for s in batch.ended] == ["md1"]
    machine.files["proc/mdstat"] = (REAL / "checked.mdstat").read_text()
    assert len(look(machine).ended) == 2
    machine.files["proc/mdstat"] = "nonsense\n"
    assert "/proc/mdstat: line 1" in look(machine).note
