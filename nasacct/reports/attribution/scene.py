"""A scene: what was counted of one pool and of those who use it, as rates on a grid of STEP_S seconds.

An array's last axis is always time. A sample that is not `present` has no rates (they are NaN), or rates over more
than one step: it is no evidence of anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

STEP_S = 10

#: Classes of a pool's disks (roles of the stream `layout`): those that hold its data, and what is synced to them later.
DATA, LOG = "data", "log"

#: What a member can ask for: calls a second, and MB (10^6 bytes) a second of `read_mb` and `write_mb`.
#: `lookups` are all that read metadata, `changes` all that write it but `removes`.
CLASSES = ("reads", "read_mb", "writes", "write_mb", "commits", "lookups", "changes", "removes")


@dataclass(frozen=True, slots=True, eq=False)
class Disks:
    """A pool's disks; every array is disks x samples."""

    names: tuple[str, ...]
    reads: Floats  #: IOs a second
    read_mb: Floats  #: MB a second
    writes: Floats
    write_mb: Floats
    busy: Floats  #: share of the time with at least one IO in flight (io_ticks)
    queue: Floats  #: mean number of IOs in flight (weighted time)
    wait_ms: Floats  #: mean time an IO took; NaN where none ended


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Those who use the pool over NFS, each with what its servers answered."""

    names: tuple[str, ...]
    activity: Floats  #: members x CLASSES x samples
    thread_s: Floats | None = None  #: members x samples: seconds of nfsd's threads a second; None: nobody counts it
    physical_mb: Floats | None = None  #: members x samples: MB a second read from disks for them; None likewise


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One pool over some time."""

    pool: str
    rotational: bool
    transactional: bool  #: writes reach the disks with the next transaction group (ZFS), not when pages grow old
    start: int  #: Unix time at which the first sample begins
    present: Flags
    disks: Disks
    members: Members
    some: Floats  #: share of the time in which a task stood still for IO (PSI some)
    full: Floats  #: share of the time in which all did (PSI full)
    #: by how much the longest sync of a transaction group in the sample took longer than the time (s) after which the
    #: next one begins; 0 where none did
    sync_s: Floats
    local_mb: Floats | None = None  #: MB a second that local processes read, at most; None: nobody counts it
    scanned_mb: Floats | None = None  #: MB a second that disks read for scrubs and resilvers; None likewise
    local_written_mb: Floats | None = None  #: MB a second that local processes wrote; None likewise
    component: str = DATA  #: which of the pool's disks these are
    #: share of the time that the busiest data disk was busy, of disks that do not rotate beside data disks that do
    beside: Floats | None = None

    def __len__(self) -> int:
        return len(self.present)

    def moment(self, sample: int) -> int:
        """Unix time at which a sample begins."""
        return self.start + STEP_S * sample
