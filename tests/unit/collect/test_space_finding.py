"""What `nasacct doctor` says of datasets' space."""

import pytest
from zfs import pool

from nasacct.collect import program
from nasacct.collect.space_finding import look
from nasacct.config.tables import Config, Sources

ON = Config(sources=Sources(enabled=("space",)))


@pytest.fixture
def device(tmp_path, monkeypatch):
    """A machine with the program and its device."""
    monkeypatch.setattr(program, "place", lambda name: f"/sbin/{name}")
    (tmp_path / "device").touch()
    return tmp_path / "device"


def test_without_zfs_it_is_missing_only_where_it_is_wanted(tmp_path, device):
    """Else it is told how to have it."""
    found = look(ON, tmp_path / "none", device)
    assert (found.state, found.mend) == ("missing", "modprobe zfs")
    assert found.found.startswith("there is no ZFS here")
    other = look(Config(), tmp_path / "none", device)
    assert (other.state, "name space in sources.enabled" in other.mend) == ("note", True)
    assert other.found.startswith("not collected; there is no ZFS here")


def test_pools_that_answer_are_counted(tmp_path, device):
    """Why one does not is told."""
    pool(tmp_path / "zfs")
    assert (look(ON, tmp_path / "zfs", device).state, look(ON, tmp_path / "zfs", device).found) == (
        "ok", "1 of 1 pools answer",
    )  # fmt: skip
    pool(tmp_path / "zfs", "other", "SUSPENDED")
    found = look(ON, tmp_path / "zfs", device)
    assert (found.state, found.found) == ("note", "1 of 2 pools answer; pool other is suspended")


def test_what_is_missing_has_a_mend(tmp_path, device, monkeypatch):
    """A pool, the right to open the device, the program."""
    (tmp_path / "zfs").mkdir()
    assert look(ON, tmp_path / "zfs", device).found == "no pool is imported"
    pool(tmp_path / "zfs")
    found = look(ON, tmp_path / "zfs", tmp_path / "closed")
    assert (found.found, "space.conf" in found.mend) == (f"{tmp_path / 'closed'} may not be opened", True)
    monkeypatch.setattr(program, "place", lambda _: None)
    assert look(ON, tmp_path / "zfs", device).mend == "install zfsutils"
