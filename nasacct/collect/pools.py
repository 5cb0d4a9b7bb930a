"""Which ZFS pools there are and whether they answer, by what the kernel tells of them without asking a disk.

    /proc/spl/kstat/zfs/POOL/guid     12263271498183716613
    /proc/spl/kstat/zfs/POOL/state    ONLINE, DEGRADED, SUSPENDED
    /proc/spl/kstat/zfs/POOL/txgs     its transaction groups (`txgs.py`)

A pool whose oldest group between open and committed was born long ago writes nothing to its disks: whoever asks for its
datasets may wait as long.
"""

from __future__ import annotations

import time
from pathlib import Path

from nasacct.collect import txgs
from nasacct.collect.lines import ParseError
from nasacct.units import in_duration

KSTATS = Path("/proc/spl/kstat/zfs")
#: A group is open for the pool's zfs_txg_timeout, 5 to 15 s, and is synced in about as long where disks keep up.
STILL_NS = 60_000_000_000


def look(kstats: Path = KSTATS) -> dict[str, str]:
    """Each pool, with why it should not be asked; '' where it answers. OSError where there is no ZFS."""
    now_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
    found = {}
    for folder in sorted(kstats.iterdir()):
        state = _content(folder / "state").strip().decode("ascii", "replace")
        if state:
            found[folder.name] = _why(folder, state, now_ns)
    return found


def guids(kstats: Path = KSTATS) -> dict[str, str]:
    """The guid of each pool, by its name: it stays when the pool is renamed. OSError where there is no ZFS.

    ZFS before 2.2 tells none.
    """
    found = {folder.name: _content(folder / "guid").strip() for folder in sorted(kstats.iterdir())}
    return {name: guid.decode("ascii") for name, guid in found.items() if guid.isdigit()}


def _why(folder: Path, state: str, now_ns: int) -> str:
    if state == "SUSPENDED":
        return f"pool {folder.name} is suspended"
    try:
        stands_ns = txgs.parse(_content(folder / "txgs")).pending_ns(now_ns)
    except ParseError:
        # what it does not tell is no reason not to ask
        return ""
    return f"pool {folder.name} has written nothing for {in_duration(stands_ns / 1e9)}" if stands_ns > STILL_NS else ""


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        # no pool, or one that is exported just now
        return b""
