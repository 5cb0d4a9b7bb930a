"""A slow disk: one that was busy much longer than its IOs cost, and than the pool's other disks.

As Perseus does (Lu et al., FAST '23), a disk is held against a model of its own IOs and against its peers, for a pool
goes at the pace of its slowest disk while the others wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from nasacct.reports.attribution.device import Device
    from nasacct.reports.attribution.scene import Flags, Floats, Scene

#: A disk is slow if it was busy so many times as long as it should have been.
RATIO = 1.6
#: From this mean share of an episode on hardware has a part in it.
LEAST = 0.25


class Slow(NamedTuple):
    """A disk's part in an episode."""

    disk: str | None  #: None: all kept up with the others
    share: float  #: of the disk time: what the disk took beyond what its IOs should have taken


def slow(scene: Scene, device: Device, samples: Flags) -> Slow:
    """The slow disk in these samples; none where there are too few disks to compare."""
    names, use = scene.disks.names, samples & scene.present
    if len(names) < 2 or not use.any():
        return Slow(None, 0.0)
    taken = scene.disks.busy if scene.rotational else scene.disks.queue / device.capacity
    excess = _excess(taken[:, use], _cost(scene, device)[:, use])
    shares = np.nanmean(excess, axis=1) if np.isfinite(excess).any() else np.zeros(len(names))
    worst = int(np.argmax(shares))
    return Slow(names[worst], float(shares[worst])) if shares[worst] >= LEAST else Slow(None, 0.0)


def _cost(scene: Scene, device: Device) -> Floats:
    disks = scene.disks
    rates = np.stack([disks.reads, disks.read_mb, disks.writes, disks.write_mb])
    cost: Floats = np.tensordot(device.seconds, rates, axes=1)
    return cost


def _excess(taken: Floats, cost: Floats) -> Floats:
    """Of each disk and sample, the share of its time (0 to 1) that neither its IOs nor its peers explain."""
    fair = np.maximum(cost, np.median(taken, axis=0))
    ratio = taken / np.maximum(fair, 1e-9)
    return np.where(ratio > RATIO, 1 - 1 / np.maximum(ratio, RATIO), 0.0)
