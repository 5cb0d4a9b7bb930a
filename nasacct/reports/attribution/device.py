"""The device model: how much disk time an IO and a MB cost, and of what the measured disk time was.

Disk time is in seconds a second of one disk of the pool (the median disk), so 1 is all there is. Of a rotating disk it
is measured: the time it was busy. A disk that serves many IOs at a time has no such counter; its disk time is what its
IOs cost by this model, against the most they ever cost.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution.regression import robust

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasacct.reports.attribution.scene import Flags, Floats, Scene

#: What disk time is spent on: IOs that read and the bytes they read, IOs that write and the bytes they write.
CHANNELS = ("reads", "read_mb", "writes", "write_mb")
READS, READ_MB, WRITES, WRITE_MB = range(4)

#: Seconds an IO read, a MB read, an IO written, a MB written: what disks of a kind cost before anything is known.
_ROTATING = np.array([4e-3, 5.5e-3, 2.5e-3, 6e-3])
_PARALLEL = np.array([0.1e-3, 0.4e-3, 0.05e-3, 0.4e-3])
_SPREAD, _ROUNDS = 0.6, 3
#: An IO may cost next to nothing (it continues another), but no disk moves a MB in no time.
_FLOOR = np.array([0.03, 0.5, 0.03, 0.5])
#: Errors: of a disk, and of what is measured, for IOs of one kind differ from those of another. They last for so many
#: samples: a week of samples is not as many independent ones.
_ERROR, _ERROR_OF, _LASTING = 0.05, 0.15, 10
#: Where IOs of a parallel disk waited longer than so many medians, they waited for one another.
_ALONE = 1.5
_FULL = 0.995
#: A disk may be so many times slower or faster than its kind, if so many samples say so.
_PACE, _PACED = 10.0, 6
#: Fewer samples than these (ten minutes) say nothing.
_LEAST = 60


@dataclass(frozen=True, slots=True, eq=False)
class Device:
    """What a pool's median disk costs."""

    costs: Floats  #: seconds of IO in flight an IO read, a MB read, an IO written, a MB written
    capacity: float  #: IOs in flight at which it is full; 1 of a rotating disk
    disks: int

    @property
    def seconds(self) -> Floats:
        """Disk time an IO read, a MB read, an IO written, a MB written."""
        return self.costs / self.capacity


def learned(scene: Scene, quiet: Flags | None = None) -> Device:
    """The device model of a scene, from its `quiet` samples if enough of them were busy, or else from all.

    IOs of who saturates rotating disks are of a kind of their own and outweigh all others: one who reads on has a
    thousand that cost next to nothing. What they cost is found of each episode (`around`).
    """
    prior = _ROTATING if scene.rotational else _PARALLEL
    use = _usable(scene)
    if scene.rotational and quiet is not None:
        calm = use & quiet
        use = calm if (_median(_target(scene))[calm] > _ERROR).sum() >= _LEAST else use
    prior = prior * _pace(prior @ _rates(scene)[:, use], _median(_target(scene))[use])
    costs = _fitted(scene, use, prior) if use.sum() >= _LEAST else prior
    costs = np.maximum(costs, _FLOOR * prior)
    demand = costs @ _rates(scene)[:, scene.present]
    full = float(np.quantile(demand, _FULL)) if demand.size and not scene.rotational else 1.0
    return Device(costs, max(full, 1e-9), len(scene.disks.names))


def around(scene: Scene, device: Device, samples: NDArray[np.int64]) -> Device:
    """What IOs cost in these samples: those of one who reads at random take longer than others' do."""
    if not scene.rotational:
        return device
    use = np.zeros(len(scene), bool)
    use[samples] = True
    costs = _fitted(scene, use & _usable(scene), device.costs)
    return replace(device, costs=np.maximum(costs, _FLOOR * device.costs))


def _fitted(scene: Scene, use: Flags, prior: Floats) -> Floats:
    rates, target = _rates(scene)[:, use], _median(_target(scene))[use]
    base = _ERROR * (1 if scene.rotational else max(float(np.median(target)), 1e-6))
    error = np.sqrt(_LASTING * (base**2 + (_ERROR_OF * target) ** 2))
    return robust(rates.T / error[:, None], target / error, prior, _SPREAD * prior, _ROUNDS)


def _pace(expected: Floats, target: Floats) -> float:
    """How many times slower than others of its kind the disk is, by the busier half of samples, each counted once."""
    known = expected > 0
    if known.sum() < _PACED:
        return 1.0
    busier = known & (target >= np.median(target[known]))
    return float(np.clip(np.median(target[busier] / expected[busier]), 1 / _PACE, _PACE))


def work(scene: Scene, device: Device) -> Floats:
    """Disk time by CHANNELS (channels x samples); NaN where the sample is not present."""
    channels = device.seconds[:, None] * _rates(scene)
    if scene.rotational:
        total = channels.sum(axis=0)
        channels = channels / np.where(total > 0, total, 1) * _median(scene.disks.busy)
    channels[:, ~scene.present] = np.nan
    return channels


def _rates(scene: Scene) -> Floats:
    disks = scene.disks
    return np.stack([_median(each) for each in (disks.reads, disks.read_mb, disks.writes, disks.write_mb)])


def _target(scene: Scene) -> Floats:
    return scene.disks.busy if scene.rotational else scene.disks.queue


def _usable(scene: Scene) -> Flags:
    use = scene.present & np.isfinite(_median(_target(scene))) & np.isfinite(_rates(scene)).all(axis=0)
    wait = _median(scene.disks.wait_ms)
    if not scene.rotational and np.isfinite(wait[use]).any():
        use &= wait < _ALONE * np.nanmedian(wait[use])
    return use


def _median(rates: Floats) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of samples that are NaN altogether
        median: Floats = np.nanmedian(rates, axis=0) if len(rates) else np.full(rates.shape[-1], np.nan)
    return median
