"""How block devices stand on each other: which are made of which (md, dm, partitions), by sysfs."""

from __future__ import annotations

import os
from pathlib import Path

#: Devices stand on others at most so deep: a partition of an array of mapped devices of partitions, and then some.
_DEEPEST = 16


def topology(sys_root: Path = Path("/sys")) -> dict[str, dict[str, list[str]]]:
    """By device: `slaves`, the devices it is made of, and `partitions`; devices with neither are left out.

    Source: /sys/block/<device>/slaves and the folders of partitions, which have a file `partition`
    (Documentation/ABI/stable/sysfs-block).
    """
    found: dict[str, dict[str, list[str]]] = {}
    try:
        devices = sorted((sys_root / "block").iterdir())
    except OSError:
        return found
    for device in devices:
        try:
            slaves = sorted(p.name for p in (device / "slaves").iterdir())
            partitions = sorted(p.parent.name for p in device.glob("*/partition"))
        except OSError:
            continue
        if slaves or partitions:
            found[device.name] = {"slaves": slaves, "partitions": partitions}
    return found


def named(path: str, sys_root: Path = Path("/sys")) -> str | None:
    """The device that a path in /dev leads to, as the kernel calls it: /dev/disk/by-id/wwn-1-part1 is sda1.

    None where there is no such device now.
    """
    real = os.path.realpath(path)
    name = real.removeprefix("/dev/").replace("/", "!")
    return name if real.startswith("/dev/") and (sys_root / "class/block" / name).exists() else None


def numbered(number: str, sys_root: Path = Path("/sys")) -> str | None:
    """The device of that number, major:minor; None where there is none."""
    place = sys_root / "dev/block" / number
    return place.resolve().name if number and place.exists() else None


def below(device: str, sys_root: Path = Path("/sys")) -> dict[str, tuple[str, ...]]:
    """By device, what a device stands on, itself first: of a partition its disk, of an array its members.

    What stands on nothing is a whole disk. Source: as of `topology`, by /sys/class/block, which has partitions, too.
    """
    found: dict[str, tuple[str, ...]] = {}
    wanted = [device]
    for _ in range(_DEEPEST):
        here = [name for name in wanted if name not in found]
        found |= {name: _next_below(sys_root / "class/block" / name) for name in here}
        wanted = [each for name in here for each in found[name]]
    return found


def whole_disks(device: str, sys_root: Path = Path("/sys")) -> tuple[str, ...]:
    """The whole disks that a device lies on, by name as /proc/diskstats has it."""
    return tuple(sorted(name.replace("!", "/") for name, on in below(device, sys_root).items() if not on))


def _next_below(folder: Path) -> tuple[str, ...]:
    if (folder / "partition").exists():
        return (folder.resolve().parent.name,)
    try:
        return tuple(sorted(each.name for each in (folder / "slaves").iterdir()))
    except OSError:
        return ()
