"""On which pool what is mounted lies: a ZFS pool, an array of md, or the disk below a file system."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nasacct.collect import topology

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from nasacct.store.mounts import Mount

_SYS = Path("/sys")
#: The second look comes so soon after the first: a gauge is known of the time between two looks.
SOON_S = 10.0


@dataclass(frozen=True, slots=True)
class Foundation:
    """What is below a file system: `kind` zfs, md or disk, the pool's name, and its whole disks where they are known.

    `dataset` is the name of the ZFS file system itself.
    """

    kind: str
    pool: str
    disks: tuple[str, ...] = ()
    dataset: str | None = None


def foundation(mount: Mount, disks: Collection[str], sys_root: Path = _SYS) -> Foundation | None:
    """What a mounted file system lies on; None where that is none of the whole `disks`: memory, a network, a loop."""
    if mount.kind == "zfs":
        return Foundation("zfs", mount.source.partition("/")[0], dataset=mount.source)
    device = topology.numbered(mount.number, sys_root)
    if device is None and mount.source.startswith("/dev/"):
        device = topology.named(mount.source, sys_root)
    if device is None:
        return None
    below = topology.below(device, sys_root)
    found = tuple(sorted(name.replace("!", "/") for name, on in below.items() if not on))
    if not found or not set(found) <= set(disks):
        return None
    array = next((name for name in below if (sys_root / "class/block" / name / "md").is_dir()), None)
    if array is not None:
        return Foundation("md", array, found)
    return Foundation("disk", found[0] if len(found) == 1 else device, found)


class Mounts:
    """What is mounted where, by the path of a directory; of two at one place the later one is seen."""

    def __init__(self, among: Iterable[Mount]) -> None:
        self._by_point = {str(mount.point): mount for mount in among}

    def of(self, directory: str) -> Mount | None:
        """The file system that a directory lies on, by names alone: whoever asked it might wait for it."""
        place = directory.rstrip("/")
        while place and place not in self._by_point:
            place = place.rpartition("/")[0]
        return self._by_point.get(place or "/")

    def __iter__(self) -> Iterator[Mount]:
        """Those that are seen."""
        return iter(self._by_point.values())
