"""What `nasacct doctor` says of links that may be full, and of the collector's own detector of busy disks."""

import numpy as np
import pytest
from block import Machine

from nasacct.collect import speeds_finding, strain_finding
from nasacct.collect.machine import LinkCounters, Listing
from nasacct.config.tables import Config, Sources

NOBODY = Listing(())


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path, "sda", "sdb")
    names = ["eth0", "eth1", "veth"]
    made.links = lambda: LinkCounters(made.now(), names, [f"boot/{n}" for n in names], np.zeros((3, 8), np.int64))
    for name in names[:2]:
        made.files |= {f"sys/class/net/{name}/device/uevent": "", f"sys/class/net/{name}/operstate": "up\n"}
    made.files["sys/class/net/eth0/speed"] = "10000\n"
    return made


def test_each_link_is_told_with_what_it_can_carry(machine):
    """Where one does not say it, how it can be told to."""
    found = speeds_finding.look(Config(), machine, NOBODY)
    assert (found.state, found.found) == ("note", "eth0 10.0 Gbit/s, eth1 unknown")
    assert "ethtool" in found.mend
    machine.files["sys/class/net/eth1/speed"] = "1000\n"
    found = speeds_finding.look(Config(), machine, NOBODY)
    assert (found.state, found.found) == ("ok", "eth0 10.0 Gbit/s, eth1 1.00 Gbit/s")


def test_where_it_is_off_or_nothing_is_there_is_how_to_have_it(machine):
    off = speeds_finding.look(Config(sources=Sources(enabled=("links",))), machine, NOBODY)
    assert (off.state, off.mend) == ("note", "to know when one is full, name speeds in sources.enabled")
    machine.files.clear()
    assert "links.uplinks" in speeds_finding.look(Config(), machine, NOBODY).mend


def test_the_collectors_own_detector_is_told_with_its_thresholds(machine):
    """Without pressure it looks at disks alone; parallel disks are left to the keeper."""
    found = strain_finding.look(Config(), machine)
    told = "says when 2 disks, taken together, do not keep up: 3 of 4 cycles at 95 % busy"
    assert (found.state, found.found) == ("ok", told)
    machine.files["proc/pressure/io"] = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n"
    assert strain_finding.look(Config(), machine).found == f"{told}, or at 85 % while all tasks stand still"
    assert strain_finding.look(Config(sources=Sources(enabled=("node",))), machine).state == "note"
    for device in ("sda", "sdb"):
        machine.disk(device, rotational=False)
    assert strain_finding.look(Config(), machine).state == "note"
