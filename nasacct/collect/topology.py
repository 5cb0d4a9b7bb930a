"""How block devices stand on each other: which are made of which (md, dm, partitions), by sysfs."""

from __future__ import annotations

from pathlib import Path


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
