"""Which pools answer, by the kernel's own texts."""

import pytest
from zfs import pool
from zfs_life import REAL

from nasacct.collect import pools


def test_pools_that_work_answer(tmp_path):
    """A group that was committed long ago, or is open since long, is nothing to worry about."""
    pool(tmp_path, txgs=[("C", 900), ("S", 20), ("O", 700)])
    pool(tmp_path, "other", "DEGRADED")
    (tmp_path / "arcstats").write_text("12 1 0x01\n")
    assert pools.look(tmp_path) == {"other": "", "tank": ""}


@pytest.mark.parametrize("letter", "QWS")
def test_a_group_that_is_not_committed_for_a_minute_is_a_pool_that_stands_still(tmp_path, letter):
    """In whichever state it is between open and committed."""
    pool(tmp_path, txgs=[("C", 900), (letter, 754), ("O", 3)])
    assert pools.look(tmp_path) == {"tank": "pool tank has written nothing for 12 min 34 s"}


def test_a_suspended_pool_is_not_asked(tmp_path):
    """It has lost its disks."""
    pool(tmp_path, state="SUSPENDED")
    assert pools.look(tmp_path) == {"tank": "pool tank is suspended"}


def test_what_cannot_be_understood_is_no_reason_not_to_ask(tmp_path):
    """A history that was cut, or of a version that nobody knows."""
    pool(tmp_path, txgs=[("S", 754)])
    path = tmp_path / "tank" / "txgs"
    path.write_text(path.read_text()[:-4] + "\n")
    assert pools.look(tmp_path) == {"tank": ""}


def test_pools_are_known_by_their_guids():
    """As a real one tells it; what has none is no pool, or of a ZFS that is too old."""
    assert pools.guids(REAL / "life" / "1-made") == {"tank": "16171923680681405715"}
    assert pools.guids(REAL / "life" / "8-exported") == {}


def test_a_pool_may_go_while_it_is_looked_at(tmp_path):
    """What cannot be read is no pool; one without transaction groups, a pool that may be asked."""
    pool(tmp_path)
    (tmp_path / "tank" / "txgs").unlink()
    (tmp_path / "gone").mkdir()
    assert pools.look(tmp_path) == {"tank": ""}


def test_without_zfs_there_is_nothing_to_look_at(tmp_path):
    """Said by the system."""
    with pytest.raises(FileNotFoundError):
        pools.look(tmp_path / "zfs")
