"""What `nasacct doctor` says of pools' disks, exports' places and scrubs."""

import pytest
from block import Machine
from zfs import pool

from nasacct.collect import program
from nasacct.collect.layout_findings import look
from nasacct.collect.machine import Export, Listing, Server
from nasacct.config.tables import Config, Sources

ON = Config(sources=Sources(enabled=("layout", "places", "scans")))
LISTING = Listing((Server("1", "boot/1"), Server("2", "boot/2", exports=(Export("/proc/none", "/x", "*"),))))


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """One with the programs and their device."""
    monkeypatch.setattr(program, "place", lambda name: f"/sbin/{name}")
    (tmp_path / "device").touch()
    return Machine(tmp_path)


def told(machine, config=ON, kstats="zfs", device="device"):
    folder = machine.folder
    return {f.name: f for f in look(config, machine, LISTING, folder / kstats, folder / device)}


def test_what_there_is_to_be_looked_at_is_counted(machine):
    """Where the sources are off, it is said how to have them."""
    pool(machine.folder / "zfs")
    machine.files["proc/mdstat"] = "md0 : active raid1 b[1] a[0]\n"
    found = told(machine)
    assert {f.state for f in found.values()} == {"ok"}
    assert found["layout"].found == found["scans"].found == "1 pools of ZFS, 1 arrays of md"
    assert found["places"].found == "of 0 of 2 servers it is known where their exports lie"
    for name, off in told(machine, Config()).items():
        assert (off.state, f"name {name} in sources.enabled" in off.mend) == ("note", True)
        assert off.found == f"not collected; {found[name].found}"


def test_without_zfs_nothing_is_missing(machine):
    """There is md, and there are file systems."""
    assert {f.state for f in told(machine, kstats="none").values()} == {"ok"}
    assert told(machine, kstats="none")["scans"].found == "0 pools of ZFS, 0 arrays of md"


def test_what_is_missing_has_a_mend(machine, monkeypatch):
    """The right to open the device, the program."""
    pool(machine.folder / "zfs")
    for finding in told(machine, device="closed").values():
        assert (finding.state, "space.conf" in finding.mend) == ("missing", True)
    monkeypatch.setattr(program, "place", lambda name: None if name == "zpool" else name)
    assert {name: f.state for name, f in told(machine).items()} == {
        "layout": "missing", "places": "ok", "scans": "missing",
    }  # fmt: skip
