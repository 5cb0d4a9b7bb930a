"""Requests: what members' activity can cost a disk, when it does, and in which channel.

Reads and commits work at once. What is written, changed or removed becomes dirty, and costs when it is written back:
with the next transaction groups, or when pages have grown old. When that is, is learnt from the disks' own writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_banded
from scipy.ndimage import convolve1d

from nasacct.reports.attribution.regression import ridge
from nasacct.reports.attribution.scene import CLASSES, STEP_S

if TYPE_CHECKING:
    from nasacct.reports.attribution.device import Device
    from nasacct.reports.attribution.scene import Flags, Floats, Scene

#: What costs, and in which of `device.CHANNELS`. `records` are read calls again, each of which reads a whole record,
#: `pages` write calls; `runs` are MB written again, which take IOs; `freed` are removes, whose space is freed over
#: minutes.
KINDS = tuple("reads lookups read_mb records commits writes runs changes removes freed write_mb pages".split())
CHANNEL = np.array([0, 0, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3])
#: Of KINDS, those whose cost depends on what is cached; of the others it is much the same for everybody.
CACHED = CHANNEL < 2

_OF = {"records": "reads", "runs": "write_mb", "freed": "removes", "pages": "writes"}
_SOURCE = [CLASSES.index(_OF.get(each, each)) for each in KINDS]
_META = [CLASSES.index("changes"), CLASSES.index("removes")]
_WRITE_MB, _WRITES, _COMMITS = (CLASSES.index(name) for name in ("write_mb", "writes", "commits"))
#: Samples on both sides in which a write may be committed; writes of one commit at most.
_AROUND, _PER_COMMIT = 6, 64
_DELAYED = np.isin(KINDS, ("writes", "runs", "changes", "removes", "write_mb", "pages"))
_LOOKUPS, _FREED = KINDS.index("lookups"), KINDS.index("freed")
#: Of a call or MB of which nothing is in memory: IOs of each disk; IOs, and MB, of all disks together.
_EACH = {"reads": 1.0, "lookups": 0.4, "commits": 1.0, "writes": 0.06, "changes": 0.2, "removes": 0.35, "freed": 0.1}
_TOGETHER = {"read_mb": 1.2, "records": 0.128, "runs": 4.0, "write_mb": 1.3, "pages": 0.008}

#: Steps after which what was written may reach the disks; part of the answer that is spread evenly over them.
_LAGS = {True: 3, False: 6}
_EVEN = 0.1
_FREED_S = 300
_LEAST = 60


def full_costs(device: Device) -> Floats:
    """Disk time a call or MB of KINDS if nothing is found in memory."""
    disks = max(device.disks, 1)
    amounts = np.array([_EACH.get(each, 0) + _TOGETHER.get(each, 0) / disks for each in KINDS])
    found: Floats = amounts * device.seconds[CHANNEL]
    return found


def most(device: Device) -> Floats:
    """Disk time a call or MB of CLASSES costs at most, when nothing is in memory."""
    found = np.zeros(len(CLASSES))
    np.add.at(found, _SOURCE, full_costs(device))
    found[_META] += full_costs(device)[_LOOKUPS]
    return found


def writeback(scene: Scene, use: Flags) -> Floats:
    """The share of what is written that reaches the disks 0, 1, 2... steps later; sums to 1."""
    lags = _LAGS[scene.transactional]
    even = np.full(lags, 1 / lags)
    written = np.nan_to_num(scene.members.activity[:, _WRITE_MB]).sum(axis=0)
    disk = np.nan_to_num(np.median(scene.disks.write_mb, axis=0))
    rows = np.stack([np.concatenate([np.zeros(lag), written])[: len(written)] for lag in range(lags)], axis=1)
    if use.sum() < _LEAST or not written[use].any() or not disk[use].any():
        return even
    rows, disk = np.column_stack([rows / written[use].mean(), np.ones(len(written))])[use], disk[use]
    disk /= disk.mean()
    found = ridge(rows, disk, np.append(even, 0), np.ones(lags + 1))[:lags]
    return (1 - _EVEN) * found / found.sum() + _EVEN * even if found.any() else even


def effective(activity: Floats, kernel: Floats) -> Floats:
    """Activity (members x CLASSES x samples) as KINDS, at the time at which it costs (members x KINDS x samples)."""
    known = _stable(np.nan_to_num(activity))
    kinds = known[:, _SOURCE].copy()
    if not kinds.size:
        return kinds
    kinds[:, _LOOKUPS] += known[:, _META].sum(axis=1)
    kinds[:, _DELAYED] = delayed(kinds[:, _DELAYED], kernel)
    kinds[:, _FREED] = _fading(kinds[:, _FREED], np.exp(-STEP_S / _FREED_S))
    return kinds


def delayed(written: Floats, kernel: Floats) -> Floats:
    """What becomes dirty (last axis: samples) at the time at which it reaches the disks; see `writeback`."""
    first, *later = kernel.astype(written.dtype)
    late: Floats = first * written
    for lag, part in enumerate(later, 1):
        late[..., lag:] += part * written[..., :-lag]
    return late


def _fading(rates: Floats, stays: float) -> Floats:
    """Rates of which in each sample so much of what there was `stays`, and the rest is done (last axis: samples)."""
    bands = np.ones((2, rates.shape[-1]))
    bands[1] = -stays
    found: Floats = solve_banded((1, 0), bands, (1 - stays) * rates.T).T
    return found


def _stable(activity: Floats) -> Floats:
    """The same with writes that were on the disks when they were answered as commits.

    A client that writes otherwise has to commit (RFC 1813 3.3.7): of whom hardly any commit is seen for many writes
    asks for stable ones.
    """
    found = activity.copy()
    if not activity.size:
        return found
    writes, commits = activity[:, _WRITES], activity[:, _COMMITS]
    around = np.ones(2 * _AROUND + 1)
    few, many = (convolve1d(each, around, mode="constant") for each in (commits * _PER_COMMIT, writes))
    part = np.clip(1 - few / np.maximum(many, 1e-9), 0, 1) * (many > 0)
    found[:, _COMMITS] += part * writes
    found[:, _WRITES] -= part * writes
    return found
