"""How block devices stand on each other, by a tree like sysfs and by this machine's own."""

from pathlib import Path

from nasacct.collect.topology import topology


def test_an_array_names_its_disks_and_a_disk_its_partitions(tmp_path):
    """What is made of nothing and divided into nothing is left out."""
    for path in ("md0/slaves/sda1", "md0/slaves/sdb", "sda/slaves", "sda/sda1", "sdb/slaves", "loop0/slaves"):
        (tmp_path / "block" / path).mkdir(parents=True)
    (tmp_path / "block" / "sda" / "sda1" / "partition").write_text("1\n")
    assert topology(tmp_path) == {
        "md0": {"slaves": ["sda1", "sdb"], "partitions": []},
        "sda": {"slaves": [], "partitions": ["sda1"]},
    }


def test_a_machine_without_sysfs_has_no_topology(tmp_path):
    """Absent is empty, not an error."""
    assert topology(tmp_path / "nowhere") == {}


def test_this_machine_tells_what_its_sysfs_tells():
    """Every device that is named exists, with the partitions that its folder has."""
    for device, parts in topology().items():
        folder = Path("/sys/block") / device
        assert all((folder / name / "partition").exists() for name in parts["partitions"])
        assert all((folder / "slaves" / name).exists() for name in parts["slaves"])
