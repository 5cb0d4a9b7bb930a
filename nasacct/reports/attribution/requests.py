"""Requests: what members' activity can cost a disk, when it does, and in which channel.

Reads and commits work at once. What is written, changed or removed becomes dirty, and costs when it is written back:
with the next transaction groups, or when pages have grown old. When that is, is learnt from the disks' own writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

from nasacct.reports.attribution.regression import ridge
from nasacct.reports.attribution.scene import CLASSES, STEP_S

if TYPE_CHECKING:
    from nasacct.reports.attribution.device import Device
    from nasacct.reports.attribution.scene import Flags, Floats, Scene

#: What costs, and in which of `device.CHANNELS`. `records` are read calls again, each of which reads a whole record;
#: `freed` are removes whose space is freed over minutes.
KINDS = ("reads", "lookups", "read_mb", "records", "commits", "writes", "write_mb", "changes", "removes", "freed")
CHANNEL = np.array([0, 0, 1, 1, 2, 2, 2, 2, 2, 2])
#: Of KINDS, those whose cost depends on what is cached; of the others it is much the same for everybody.
CACHED = np.array([True] * 4 + [False] * 6)

_AT = {name: CLASSES.index(name) for name in CLASSES}
_SOURCE = [_AT[each] for each in ("reads", "lookups", "read_mb", "reads", "commits", "writes", "write_mb", "changes")]
_SOURCE += [_AT["removes"], _AT["removes"]]
_META = [_AT["changes"], _AT["removes"]]
#: IOs and MB of a call or MB that finds nothing in memory: IOs each disk takes part in, MB over all disks.
_READ_IOS = np.array([1.0, 0.4, 0, 0, 0, 0, 0, 0, 0, 0])
_READ_MB = np.array([0, 0, 1.2, 0.128, 0, 0, 0, 0, 0, 0])
_WRITE_IOS = np.array([0, 0, 0, 0, 1.0, 0.06, 0, 0.2, 0.35, 0.1])
_WRITE_MB = np.array([0, 0, 0, 0, 0, 0, 1.3, 0, 0, 0])

#: Steps after which what was written may reach the disks; part of the answer that is spread evenly over them.
_LAGS = {True: 3, False: 6}
_EVEN = 0.1
_FREED_S = 300
_LEAST = 60


def full_costs(device: Device) -> Floats:
    """Disk time a call or MB of KINDS if nothing is found in memory."""
    reads, read_mb, writes, write_mb = device.seconds
    each = max(device.disks, 1)
    found: Floats = _READ_IOS * reads + _READ_MB * read_mb / each + _WRITE_IOS * writes + _WRITE_MB * write_mb / each
    return found


def writeback(scene: Scene, use: Flags) -> Floats:
    """The share of what is written that reaches the disks 0, 1, 2... steps later; sums to 1."""
    lags = _LAGS[scene.transactional]
    even = np.full(lags, 1 / lags)
    written = np.nan_to_num(scene.members.activity[:, _AT["write_mb"]]).sum(axis=0)
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
    known = np.nan_to_num(activity)
    kinds = known[:, _SOURCE].copy()
    kinds[:, 1] += known[:, _META].sum(axis=1)
    kinds[:, 5:9] = lfilter(kernel, 1, kinds[:, 5:9], axis=-1)
    stays = np.exp(-STEP_S / _FREED_S)
    kinds[:, 9] = lfilter([1 - stays], [1, -stays], kinds[:, 9], axis=-1)
    return kinds
