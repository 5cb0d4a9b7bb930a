"""Whole disks: which there are, who they are, and what is handed out of them."""

import json
import os
from pathlib import Path

import pytest

from nasacct.collect import blockdev
from nasacct.collect.diskstats import Disks
from nasacct.collect.machine import Disk
from nasacct.store.frame import ABSENT
from nasacct.store.schema import DISKS


@pytest.fixture
def sys_root(tmp_path):
    """A /sys to which `add` adds block devices: a folder below devices/ and a link below block/, as the kernel does."""

    class Sys:
        root = tmp_path / "sys"

        def add(self, name, place="pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0", slaves=(), **files):
            folder = self.root / "devices" / place / "block" / name
            folder.mkdir(parents=True)
            files = {"dev": "8:0", "size": "1000", "diskseq": "7", "queue/rotational": "1"} | files
            for file, text in files.items():
                path = folder / file.replace("__", "/")
                path.parent.mkdir(parents=True, exist_ok=True)
                if text is not None:
                    path.write_bytes(text if isinstance(text, bytes) else f"{text}\n".encode())
            (folder / "slaves").mkdir()
            for slave in slaves:
                (folder / "slaves" / slave).mkdir()
            (self.root / "block").mkdir(exist_ok=True)
            (self.root / "block" / name).symlink_to(os.path.relpath(folder, self.root / "block"))
            return self

        def found(self, **options):
            return {d.device: d for d in blockdev.disks(self.root, "boot", **options)}

    return Sys()


@pytest.mark.parametrize(
    ("files", "identity"),
    [
        ({"device__wwid": "naa.5000c500a1b2c3d4", "device__serial": "ZGY0"}, "wwid:naa.5000c500a1b2c3d4"),
        ({"wwid": "eui.0025385b71b0c5d1", "device__serial": "S3Z9"}, "wwid:eui.0025385b71b0c5d1"),
        ({"device__wwid": "t10.ATA     ST4000NM0035   ZC1A "}, "wwid:t10.ATA ST4000NM0035 ZC1A"),
        ({"wwid": "eui.0000000000000000", "device__serial": "S3Z9"}, "serial:S3Z9"),
        ({"serial": "overlay1"}, "serial:overlay1"),
        ({"device__vpd_pg80": b"\x00\x80\x00\x08    ZGY0"}, "serial:ZGY0"),
        ({"serial": "", "device__wwid": " "}, "path:pci0000:00/0000:00:1f.2/ata1/0:0/0:0:0"),
        ({}, "path:pci0000:00/0000:00:1f.2/ata1/0:0/0:0:0"),
    ],
)
def test_a_disk_is_known_by_what_it_says_of_itself_else_by_its_place(sys_root, files, identity):
    """World wide name, else serial number, else the place without numbers that count discoveries."""
    assert sys_root.add("sda", **files).found()["sda"].identity == identity


def test_a_disk_keeps_its_identity_under_another_name(sys_root):
    """Names move between boots; who a disk is does not."""
    place = "pci0000:00/0000:00:1f.2/ata1/host{}/target{}:0:0/{}:0:0:0"
    sys_root.add("sda", place.format(0, 0, 0)).add("sdc", place.format(5, 5, 5).replace("ata1", "ata2"))
    first = sys_root.found()["sda"].identity
    sys_root.root = sys_root.root / "next"
    assert sys_root.add("sdb", place.format(3, 3, 3)).found()["sdb"].identity == first


def test_a_disk_that_says_nothing_and_has_no_place_is_its_name(sys_root):
    """As network block devices are."""
    assert sys_root.add("nbd0", place="virtual").found()["nbd0"].identity == "name:nbd0"


def test_an_epoch_is_one_life_of_the_kernels_device(sys_root):
    """`diskseq` numbers them; before 5.15 the device's number has to do."""
    assert sys_root.add("sda").found()["sda"].epoch == "boot/disk/7"
    assert sys_root.add("sdb", diskseq=None, dev="8:16").found()["sdb"].epoch == "boot/dev/8:16"


def test_what_would_count_the_same_bytes_twice_is_left_out(sys_root):
    """Stacked devices, those without hardware, hidden paths and empty drives are no disks; the disks below are."""
    sys_root.add("sda").add("nvme0n1", place="pci0000:00/0000:01:00.0/nvme/nvme0", **{"queue/rotational": "0"})
    sys_root.add("md0", place="virtual", slaves=["sda1"]).add("dm-0", place="virtual/a")
    sys_root.add("etherd!e1.0", place="virtual/b", slaves=["sda"]).add("loop0", place="virtual/c")
    sys_root.add("zram0", place="virtual/d").add("zd16", place="virtual/e").add("ram0", place="virtual/f")
    sys_root.add("nvme0c0n1", place="virtual/g", hidden="1").add("sdz", place="usb1", size="0")
    found = sys_root.found()
    assert list(found) == ["nvme0n1", "sda"]
    assert found["sda"].rotational is True
    assert found["nvme0n1"].rotational is False
    assert found["sda"].about["size_bytes"] == 512_000


def test_the_choice_of_disks_can_be_configured(sys_root):
    """A pattern to include wins over everything; patterns to exclude take the place of the usual ones."""
    sys_root.add("sda").add("sdb", place="x").add("md0", place="virtual", slaves=["sda1"])
    assert list(sys_root.found(include=["md*"])) == ["md0", "sda", "sdb"]
    assert list(sys_root.found(exclude=["sdb"])) == ["sda"]
    assert list(sys_root.found(exclude=["*"], include=["sda"])) == ["sda"]


def test_a_disk_that_comes_goes_or_begins_another_life_is_noticed_in_the_next_reading(sys_root):
    """Though what a disk says of itself is not asked for in every cycle: that would be thousands of files."""
    sys_root.add("sda", device__wwid="naa.1").add("sdb", place="b").add("loop0", place="virtual/c")
    devices = blockdev.BlockDevices(sys_root.root, "boot")
    assert [d.epoch for d in devices.read()] == ["boot/disk/7"] * 2
    (sys_root.root / "block/sda/device/wwid").write_text("naa.2\n")
    assert devices.read()[0].identity == "wwid:naa.1"
    (sys_root.root / "block/sda/diskseq").write_text("8\n")
    changed = devices.read()[0]
    assert (changed.epoch, changed.identity) == ("boot/disk/8", "wwid:naa.2")
    sys_root.add("sdc", place="d", diskseq=None, dev="8:32")
    assert [d.device for d in devices.read()] == ["sda", "sdb", "sdc"]
    (sys_root.root / "block/sdb").unlink()
    assert [d.device for d in devices.read()] == ["sda", "sdc"]
    (sys_root.root / "block/sdc/dev").write_text("8:48\n")
    assert devices.read()[1].epoch == "boot/dev/8:48"


def test_a_slash_in_a_name_is_written_as_in_diskstats(sys_root):
    """/sys cannot have it in a file's name, and writes an exclamation mark."""
    assert list(sys_root.add("cciss!c0d0").found()) == ["cciss/c0d0"]


def test_this_machines_disks_are_found_under_the_names_of_diskstats():
    """On the real /sys: every disk has a line of counters, and none is a loop, ram or stacked device."""
    found = blockdev.disks(Path("/sys"), "boot")
    lines = {line.split()[2] for line in Path("/proc/diskstats").read_text().splitlines()}
    assert {d.device for d in found} <= lines
    assert not [d.device for d in found if d.device.startswith(("loop", "ram", "zram", "dm-", "md"))]
    assert len({(d.identity, d.device) for d in found}) == len(found)
    expected = {n for n in lines if n.startswith(("sd", "vd", "nvme")) and (Path("/sys/block") / n).exists()}
    assert expected <= {d.device for d in found} | {
        n for n in expected if (Path("/sys/block") / n / "size").read_text().strip() == "0"
    }


def disk(device, epoch=None, identity=None):
    return Disk(device, identity or f"wwid:{device}", epoch or f"boot/disk/{device}", rotational=True)


def test_whole_disks_are_handed_out_when_they_changed(machine, admit, rows_of, fixture_text):
    """Only the machine's whole disks, with the numbers of their lines, and once as long as they stay the same."""
    text = fixture_text("6.12.117", "diskstats")
    machine.write("proc/diskstats", text)
    machine.listed = [disk("vda"), disk("vde")]
    source = Disks(admit)
    batch = source.read(machine, None)
    expected = json.loads((Path(__file__).parents[2] / "fixtures/proc/6.12.117/diskstats.json").read_text())
    assert rows_of(batch, DISKS, "device") == {name: expected[name] for name in ("vda", "vde")}
    assert set(rows_of(batch, DISKS, "disk")) == {"wwid:vda", "wwid:vde"}
    assert source.read(machine, None).rows == {}
    machine.write("proc/diskstats", text.replace(b" vde ", b" vde 9"))
    assert set(rows_of(source.read(machine, None), DISKS, "device")) == {"vde"}


@pytest.mark.parametrize("folder", ["2.6.24", "4.4", "4.19", "5.10", "future"])
def test_what_a_kernel_does_not_count_is_absent(machine, admit, rows_of, folder):
    """Fewer columns leave measures absent, more are counted as unknown."""
    fixture = Path(__file__).parents[2] / "fixtures/proc" / folder
    machine.write("proc/diskstats", (fixture / "diskstats.txt").read_bytes())
    expected = json.loads((fixture / "diskstats.json").read_text())
    machine.listed = [disk(name) for name in expected]
    batch = Disks(admit).read(machine, None)
    unknown = [values.pop("unknown") for values in expected.values() if "unknown" in values]
    names = [m.name for m in DISKS.measures]
    assert rows_of(batch, DISKS, "device") == {
        name: {measure: values.get(measure, ABSENT) for measure in names} for name, values in expected.items()
    }
    assert batch.unknown_fields == sum(map(len, unknown))


def test_a_broken_line_fails_its_disk_alone(machine, admit, rows_of):
    """So does a line that is missing, or cut at the end of the file."""
    whole = " ".join(["1"] * 17)
    machine.write("proc/diskstats", f"8 0 sda {whole}\n8 16 sdb 1 2 3\n8 1 sda1 x\n8 32 sdc {whole}")
    machine.listed = [disk(name) for name in ("sda", "sdb", "sdc", "sdd")]
    batch = Disks(admit).read(machine, None)
    assert set(rows_of(batch, DISKS, "device")) == {"sda"}
    assert {s.keys["device"]: reason for s, reason in batch.failed.items()} == {
        "sdb": "proc/diskstats is broken: line 2: sdb has 3 numbers, which no kernel prints: the line was cut",
        "sdc": "proc/diskstats is broken: line 4: sdc has 0 numbers, which no kernel prints: the line was cut",
        "sdd": "proc/diskstats has no line for it",
    }
    assert len(batch.listed) == 4


def test_a_disk_that_was_pulled_and_put_back_is_another_epoch(machine, admit, rows_of):
    """Its counters began again, so its row comes again, under a subject of its own."""
    machine.write("proc/diskstats", f"8 0 sda {' '.join(['1'] * 17)}\n")
    source = Disks(admit)
    for epoch in ("boot/disk/1", "boot/disk/2"):
        machine.listed = [disk("sda", epoch)]
        assert set(rows_of(source.read(machine, None), DISKS, "device")) == {"sda"}
    assert [s.epoch for s in admit.subjects] == ["boot/disk/1", "boot/disk/2"]
