"""Disks: how long they take.

A rotating disk moves its head, waits for the sector and transfers (Ruemmler and Wilkes, IEEE Computer 27(3), 1994).
Moving takes less the more IOs it may choose from: of 7,200 turns a minute a disk does some 80 random IOs a second one
by one and 190 with 32 in its queue, which is the fourth root. One that continues where the last one ended moves not at
all. A parallel disk serves many IOs at a time, each in the same time.

Disk time is in seconds of one disk of the pool: what all disks were busy, divided by how many they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: A sector and the least that a record's column takes, in MB (10^6 bytes); the deepest queue a disk chooses from.
BLOCK_MB, DEEPEST = 4096 / 1e6, 32.0


@dataclass(frozen=True, slots=True)
class Kind:
    """Disks of one make in one layout."""

    disks: int
    transactional: bool  #: ZFS: reads and writes whole records, writes anew what changes; else ext4 in place
    rotational: bool = True
    columns: int = 1  #: over so many disks each record is spread (RAID-Z); 1: a record is on one of them
    copies: float = 2.0  #: MB written to disks for a MB, of whole stripes
    small: tuple[int, int] = (0, 2)  #: IOs that read, and that write, for a write of less than a stripe
    position_s: float = 12.5e-3  #: moving to a random place and waiting for it, of a disk that has one IO to do
    near_s: float = 4.5e-3  #: the same to a place nearby, as of sorted writes
    mb_s: float = 180.0
    write_mb_s: float = 170.0
    stream_mb: float = 0.25  #: of an IO that reads on
    parallel: int = 1  #: IOs served at a time

    def position(self, depth: float) -> float:
        """Seconds until a random IO's transfer begins, with so many IOs waiting at each disk."""
        if not self.rotational:
            return self.position_s
        return self.position_s / float(np.clip(depth, 1.0, DEEPEST) ** 0.25)

    def near(self) -> float:
        """Seconds until a sorted IO's transfer begins."""
        return self.near_s if self.rotational else self.position_s

    def time(self, moves_s: Any, read_mb: Any = 0.0, write_mb: Any = 0.0) -> Any:
        """Disk time of IOs that move for so many seconds in all, and transfer."""
        return (moves_s + read_mb / self.mb_s + write_mb / self.write_mb_s) / (self.disks * self.parallel)

    def touched(self, mb: Floats) -> Floats:
        """Disks that read for one record of this size."""
        return np.clip(np.ceil(mb / BLOCK_MB), 1, self.columns)


def _parallel(*, transactional: bool) -> Kind:
    """Two NVMe disks, whose bandwidth all IOs at a time share."""
    return Kind(
        2,
        transactional,
        rotational=False,
        position_s=85e-6,
        near_s=25e-6,
        mb_s=60.0,
        write_mb_s=28.0,
        parallel=48,
    )


KINDS = {
    "raidz2": Kind(8, transactional=True, columns=6, copies=8 / 6, small=(0, 3)),
    "zfs_mirrors": Kind(4, transactional=True),
    "raid10": Kind(4, transactional=False),
    "raid6": Kind(8, transactional=False, copies=8 / 6, small=(3, 3)),
    "nvme_zfs": _parallel(transactional=True),
    "nvme_ext4": _parallel(transactional=False),
}
