"""The whole disks of a machine, as /sys/block has them.

A disk's name moves between boots and slots, so it is known by what it says of itself: its world wide name, else its
serial number, else the place where it is plugged in, else the name. Its counters live as long as the kernel's device:
`diskseq` numbers those within a boot (since Linux 5.15; before, the device number stands for it).

Devices made of other devices (dm, md, bcache) and those without hardware (loop, ram, zram, zvols) would count the same
bytes twice, and are left out, like drives without a medium and hidden paths of NVMe multipath.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from nasacct.collect import process
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
#: What disks say of themselves is asked for anew this often.
_AGAIN_S = 60.0


class BlockDevices:
    """The whole disks of a machine, for every cycle; arguments as of `disks`.

    To look at one disk takes 0.3 ms, too much for dozens in each cycle. So that is done when a disk came, went or began
    another life, and once a minute.
    """

    def __init__(
        self, sys_root: Path, boot_id: str, *, include: Sequence[str] = (), exclude: Sequence[str] = EXCLUDED
    ) -> None:
        self._sys_root, self._boot_id, self._include, self._exclude = sys_root, boot_id, include, exclude
        self._lives: dict[str, bytes] = {}
        self._disks: list[Disk] = []
        self._until = 0.0

    def read(self) -> list[Disk]:
        """Those that exist now. Raises OSError when there is no /sys/block."""
        lives = self._look()
        if lives != self._lives or time.monotonic() > self._until:
            self._disks = disks(self._sys_root, self._boot_id, include=self._include, exclude=self._exclude)
            # what happened after the look is seen in the next one
            self._lives, self._until = lives, time.monotonic() + _AGAIN_S
        return self._disks

    def _look(self) -> dict[str, bytes]:
        """What tells one life from the next, of each device that its name does not leave out."""
        block = f"{self._sys_root}/block"
        found = {}
        for name in os.listdir(block):  # noqa: PTH208  a hundred paths a cycle are not for pathlib
            device = name.replace("!", "/")
            if name in self._lives or _matches(device, self._include) or not _matches(device, self._exclude):
                found[name] = _life(f"{block}/{name}")
        return found


def disks(
    sys_root: Path, boot_id: str, *, include: Sequence[str] = (), exclude: Sequence[str] = EXCLUDED
) -> list[Disk]:
    """The whole disks, by name; a device that matches `include` is one in any case.

    Raises OSError when there is no /sys/block.
    """
    found = []
    for folder in sorted((sys_root / "block").iterdir()):
        device = folder.name.replace("!", "/")
        if not _matches(device, include) and _left_out(folder, device, exclude):
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


def _matches(device: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(device, pattern) for pattern in patterns)


def _life(folder: str) -> bytes:
    for file in ("diskseq", "dev"):
        with contextlib.suppress(OSError):
            return process.content(f"{folder}/{file}", 64)
    return b""


def _left_out(folder: Path, device: str, exclude: Sequence[str]) -> bool:
    if _matches(device, exclude):
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
