"""The whole disks of a machine, as /sys/block has them.

A disk's name moves between boots and slots, so it is known by what it says of itself: its world wide name, else its
serial number, else the place where it is plugged in, else the name. Its counters live as long as the kernel's device:
`diskseq` numbers those within a boot (since Linux 5.15; before, the device number stands for it).

Devices made of other devices (dm, md, bcache) and those without hardware (loop, ram, zram, zvols) would count the same
bytes twice, and are left out, like drives without a medium and hidden paths of NVMe multipath.
"""

from __future__ import annotations

import re
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from nasacct.collect.machine import Disk

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Names that are no disk of their own, as shell patterns.
EXCLUDED = ("loop*", "ram*", "zram*", "dm-*", "md*", "zd*", "sr*", "fd*", "bcache*", "drbd*", "mtdblock*")

#: What firmware writes where it has nothing to say.
_BLANK = re.compile(r"(?:[a-z0-9]+\.)?0*|(?i:unknown|none|n/a|default string|to be filled.*)")
#: Parts of a device's path that say nothing of its place: they count discoveries.
_DISCOVERED = re.compile(r"block|host\d+|virtio\d+|nvme\d*|nvme-subsystem")
_SCSI_ADDRESS = re.compile(r"(?:target)?\d+:(\d+:\d+(?::\d+)?)")


def disks(
    sys_root: Path, boot_id: str, *, include: Sequence[str] = (), exclude: Sequence[str] = EXCLUDED
) -> list[Disk]:
    """The whole disks, by name; a device that matches `include` is one in any case.

    Raises OSError when there is no /sys/block.
    """
    found = []
    for folder in sorted((sys_root / "block").iterdir()):
        device = folder.name.replace("!", "/")
        if not any(fnmatch(device, pattern) for pattern in include) and _left_out(folder, device, exclude):
            continue
        number = _text(folder, "dev")
        if number is None:
            continue  # it vanished while it was looked at
        sequence = _text(folder, "diskseq")
        rotational = _text(folder, "queue/rotational")
        size = _text(folder, "size") or ""
        found.append(
            Disk(
                device,
                _identity(folder, device),
                f"{boot_id}/disk/{sequence}" if sequence else f"{boot_id}/dev/{number}",
                None if rotational is None else rotational == "1",
                {
                    "model": _text(folder, "device/model"),
                    "size_bytes": int(size) * 512 if size.isdecimal() else None,
                    "number": number,
                },
            )
        )
    return found


def _left_out(folder: Path, device: str, exclude: Sequence[str]) -> bool:
    if any(fnmatch(device, pattern) for pattern in exclude):
        return True
    if _text(folder, "hidden") == "1" or _text(folder, "size") == "0":
        return True
    return _is_stacked(folder)


def _is_stacked(folder: Path) -> bool:
    try:
        return any((folder / "slaves").iterdir())
    except OSError:
        return False


def _identity(folder: Path, device: str) -> str:
    for kind, files in (("wwid", ("wwid", "device/wwid")), ("serial", ("serial", "device/serial"))):
        for file in files:
            text = _text(folder, file)
            if text and not _BLANK.fullmatch(text):
                return f"{kind}:{text}"
    page = _serial_page(folder)
    if page and not _BLANK.fullmatch(page):
        return f"serial:{page}"
    place = _place(folder)
    return f"path:{place}" if place else f"name:{device}"


def _serial_page(folder: Path) -> str | None:
    """The serial number of a SCSI disk: vital product data page 0x80, four bytes of head and then text (SPC)."""
    try:
        return " ".join((folder / "device/vpd_pg80").read_bytes()[4:].decode("ascii", "ignore").strip("\0 ").split())
    except OSError:
        return None


def _place(folder: Path) -> str | None:
    """The chain of buses to the device, without the numbers that are given in the order of discovery."""
    parts = folder.resolve().parts[:-1]
    if "devices" not in parts:
        return None
    chain = parts[parts.index("devices") + 1 :]
    if chain[0] == "virtual":
        return None
    return "/".join(_placed(part) for part in chain if not _DISCOVERED.fullmatch(part)) or None


def _placed(part: str) -> str:
    """The part of the path; of a SCSI address (host:channel:target:lun) without the host's number."""
    address = _SCSI_ADDRESS.fullmatch(part)
    return address[1] if address else part


def _text(folder: Path, file: str) -> str | None:
    """A one-line file with its blanks made single; None when it is not there, empty or cannot be read."""
    try:
        return " ".join((folder / file).read_text("utf-8", "replace").split()) or None
    except OSError:
        return None
