"""What `nasacct doctor` says of ZFS's counters."""

import shutil

import pytest
from zfs_life import REAL

from nasacct.collect.kstat_findings import look
from nasacct.collect.machine import Listing
from nasacct.config.tables import Config, Sources
from nasacct.store.frame import Instant

ON = Config(sources=Sources(enabled=("datasets", "pools")))


class Machine:
    """The clock of one."""

    node, boot_id, kernel = "n", "boot", ""

    def now(self):
        return Instant(1, 1)


@pytest.fixture
def kstats(tmp_path):
    shutil.copytree(REAL / "life" / "2-written", tmp_path / "zfs")
    return tmp_path / "zfs"


def told(config, kstats):
    return [
        (f.name, f.state, f.found.partition(" in ")[0], f.mend) for f in look(config, Machine(), Listing(()), kstats)
    ]


def test_where_they_are_wanted_all_are_read_once(kstats):
    """What is broken is told, and how much is new."""
    assert told(ON, kstats) == [("datasets", "ok", "5 datasets are read", ""), ("pools", "ok", "1 pools are read", "")]
    (kstats / "tank" / "objset-0x93").write_text("cut")
    (kstats / "tank" / "state").write_text("DREAMING\n")
    datasets, pools = look(ON, Machine(), Listing(()), kstats)
    assert datasets.found.startswith("4 datasets are read in ")
    assert (datasets.state, "objset-0x93: line 1: it has no newline" in datasets.found) == ("note", True)
    assert pools.found.endswith("; 1 fields are new to nasacct and kept out")


def test_where_they_are_not_they_are_counted(kstats):
    """And it is said how to have them."""
    datasets, pools = told(Config(), kstats)
    assert datasets[:3] == ("datasets", "note", "not collected; 5 datasets could be")
    assert "name datasets in sources.enabled" in datasets[3]
    assert pools[:3] == ("pools", "note", "not collected; 1 pools could be")


def test_what_is_missing_has_a_mend(kstats, tmp_path):
    """A pool, a ZFS that tells its guid, ZFS itself."""
    (kstats / "tank" / "guid").unlink()
    lacks = "this ZFS does not tell pools' guids"
    assert told(ON, kstats)[0] == ("datasets", "missing", lacks, "use ZFS 2.2 or later")
    assert told(Config(), kstats)[1][2] == f"not collected; {lacks}"
    shutil.rmtree(kstats / "tank")
    assert told(ON, kstats)[1][2:] == ("no pool is imported", "zpool import")
    (missing, _) = told(ON, tmp_path / "none")
    assert (missing[1], missing[3]) == ("missing", "modprobe zfs")
