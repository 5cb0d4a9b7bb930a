"""One cycle as the collector hands it to the journal: who exists, who was read, what changed.

A *subject* is one epoch of one thing a source reads (a server's nfsd, a link, a disk). Rows name subjects by `sid`,
a number that is good for one run of the collector. A cycle holds only rows that changed; who was read is in the
source's own entry, so that "unchanged" is never mistaken for "not collected".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

#: In int64 value matrices: absent. No counter or gauge of the kernel files read here is negative.
ABSENT = -1


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment on both clocks: wall (UTC, may step) and CLOCK_BOOTTIME (never steps, counts suspend), in ns."""

    wall_ns: int
    boot_ns: int


@dataclass(slots=True, eq=False)
class Subject:
    """One epoch of one thing that a source reads.

    `keys` are the key columns of the source's streams; `epoch` is unique for ever (it contains the boot id or the
    recording's name). `after` is set by the sampler: the wall time of the last complete listing of the source in
    which this epoch was absent, None when there was none before it (its first reading is then a baseline).
    `bits32` names the measures that this kernel counts in 32 bits beyond those that every kernel does.
    `about` is for people and later joins (pid, cookie, interface, export directory).
    """

    source: str
    keys: Mapping[str, str | None]
    epoch: str
    sid: int = 0
    after: int | None = None
    bits32: frozenset[str] = frozenset()
    about: Mapping[str, str | int | None] = field(default_factory=dict)


@dataclass(slots=True)
class Rows:
    """Changed readings of one stream: `sids` int32[n], `values` int64[n, width], `final` the last of their epoch."""

    sids: NDArray[np.int32]
    values: NDArray[np.int64]
    final: bool = False


@dataclass(slots=True)
class Batch:
    """What one source gave in one cycle (or one source's finals between two cycles).

    `listed` are all subjects that exist now, read or not; `complete` says that nothing else can exist. `failed` are
    the listed ones that could not be read, with the reason. `listed` is None for finals, which list nobody.
    """

    source: str
    at: Instant
    listed: list[Subject] | None
    complete: bool = True
    rows: dict[str, Rows] = field(default_factory=dict)
    failed: dict[Subject, str] = field(default_factory=dict)
    ended: list[Subject] = field(default_factory=list)
    unknown_fields: int = 0
    took_us: int = 0
    cpu_us: int = 0
    late: int = 0
    note: str = ""
