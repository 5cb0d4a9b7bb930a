"""Long-run costs: what members' requests cost in normal hours, and so how much disk time is normal for each.

First what a call and a MB cost on average, from the sums over all members (utilisation-law regression); then by how
much each member differs, which is what memory holds for it and how its data lie. Members of whom little is known keep
near the average by their priors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution import requests
from nasacct.reports.attribution.device import CHANNELS
from nasacct.reports.attribution.regression import ridge, robust
from nasacct.reports.attribution.requests import CACHED, CHANNEL, KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from nasacct.reports.attribution.device import Device
    from nasacct.reports.attribution.scene import Flags, Floats, Scene

#: Of a call that may find its answer in memory, the share that does not, before anything is known; and its spread.
_MISSES, _MISSES_SPREAD = 0.15, 0.3
#: What nobody's requests explain, of a disk.
_BACKGROUND, _BACKGROUND_SPREAD = 0.01, 0.05
#: Error of ten seconds, of a disk; more than counters err, for errors last and so are not independent.
_ERROR = 0.1
_ROUNDS, _FLOOR = 3, 0.03
_READS_SPREAD, _WRITES_SPREAD, _WIDEST = 0.4, 0.4, 60.0
#: Jitter is at least this, and of a channel that is used less than this (of a disk) nobody can say.
_JITTER, _JITTER_USED = 0.05, 0.01
_USUAL = 0.9  #: the quantile of normal hours above which activity is excess
_WITHIN = 0.68  #: the share of errors that are within one standard deviation
AROUND = 6
_LEAST = 60
#: With less than this share of normal hours nothing is normal; but of less than so many samples nobody can say so.
_CHRONIC, _CHRONIC_LEAST = 0.2, 360
_FEW = 6  #: fewer normal samples tell nothing of what is usual
_BLOCK = 64  #: members whose requests are in memory at a time


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """What normal hours say of a pool and its members; members are those of the scene it was learnt from."""

    kernel: Floats  #: see `requests.writeback`
    full: Floats  #: KINDS: disk time a call or MB of which nothing is in memory
    shared: Floats  #: KINDS: disk time a call or MB of all members
    factors: Floats  #: members x CHANNELS: times the shared cost
    usual: Floats  #: members x KINDS: activity that only a tenth of normal samples exceed
    normal: Floats  #: members: mean disk time of normal hours; 0 where nothing is normal
    background: Floats  #: CHANNELS: disk time of normal hours that nobody's requests explain
    jitter: Floats  #: CHANNELS: error of one sample, of the disk time around it, for writes come in bursts
    chronic: bool  #: hardly any sample is normal, so nothing is

    def of(self, known: tuple[str, ...], members: tuple[str, ...]) -> Costs:
        """The same for other members than those it is `known` of; of who is new nothing is normal yet."""
        places = {name: at for at, name in enumerate(known)}
        at = np.array([places.get(name, len(known)) for name in members], np.int64)

        def taken(rows: Floats, otherwise: float) -> Floats:
            return np.concatenate([rows, np.full((1, *rows.shape[1:]), otherwise)])[at]

        return replace(self, factors=taken(self.factors, 1), usual=taken(self.usual, 0), normal=taken(self.normal, 0))

    @property
    def own(self) -> Floats:
        """Members x KINDS: disk time a call or MB."""
        own: Floats = self.shared * self.factors[:, CHANNEL]
        return own


def learned(scene: Scene, device: Device, work: Floats, quiet: Flags) -> Costs:
    """Costs of a scene whose disk time by channel is `work`, from its `quiet` samples."""
    known = scene.present & np.isfinite(work).all(axis=0)
    present = int(scene.present.sum())
    calm = quiet & known
    seldom = present >= _CHRONIC_LEAST and quiet.sum() < _CHRONIC * present
    chronic = bool(seldom or calm.sum() < _FEW)
    use = calm if calm.sum() >= _LEAST else known
    kernel = requests.writeback(scene, use)
    full = requests.full_costs(device)
    shared, background = _shared(scene, kernel, full, work, use)
    count = len(scene.members.names)
    # as precise as activity is, for it is as large
    parts = np.zeros((count, len(CHANNELS), int(use.sum())), scene.members.activity.dtype)
    usual = np.zeros((count, len(KINDS)))
    for block, kinds in _blocks(scene, kernel):
        usual[block] = np.quantile(kinds[..., calm], _USUAL, axis=-1) if not chronic else 0.0
        for channel in range(len(CHANNELS)):
            of = channel == CHANNEL
            parts[block, channel] = np.einsum("k,mkt->mt", shared[of], kinds[:, of][..., use])
    factors, jitter = np.ones((count, len(CHANNELS))), np.full(len(CHANNELS), _JITTER)
    for channel in range(len(CHANNELS)):
        spread = _spread(channel, shared, full)
        factors[:, channel], background[channel] = _factors(parts[:, channel], work[channel, use], spread)
        errors = work[channel, use] - factors[:, channel] @ parts[:, channel] - background[channel]
        jitter[channel] = _jitter(errors, work[channel, use], np.flatnonzero(use))
    normal = np.einsum("mc,mct->m", factors, parts[..., calm[use]]) / calm.sum() if not chronic else np.zeros(count)
    return Costs(kernel, full, shared, factors, usual, normal, background, jitter, chronic)


def _blocks(scene: Scene, kernel: Floats) -> Iterator[tuple[slice, Floats]]:
    for first in range(0, len(scene.members.names), _BLOCK):
        block = slice(first, first + _BLOCK)
        yield block, requests.effective(scene.members.activity[block], kernel)


def _shared(scene: Scene, kernel: Floats, full: Floats, work: Floats, use: Flags) -> tuple[Floats, Floats]:
    """Disk time a call or MB of KINDS, and CHANNELS of what is left: from the sums over all members."""
    totals = np.zeros((len(KINDS), len(scene)))
    for _, kinds in _blocks(scene, kernel):
        totals += kinds.sum(axis=0)
    shared, background = np.zeros(len(KINDS)), np.zeros(len(CHANNELS))
    for channel in range(len(CHANNELS)):
        of = channel == CHANNEL
        mean = np.append(np.where(CACHED[of], _MISSES, 1) * full[of], _BACKGROUND)
        spread = np.append(np.where(CACHED[of], _MISSES_SPREAD, 1) * full[of], _BACKGROUND_SPREAD)
        rows = np.column_stack([totals[of].T, np.ones(len(scene))])[use] / _ERROR
        found = robust(rows, work[channel, use] / _ERROR, mean, spread, _ROUNDS)
        shared[of], background[channel] = np.maximum(found[:-1], _FLOOR * mean[:-1]), found[-1]
    return shared, background


def _spread(channel: int, shared: Floats, full: Floats) -> float:
    """How far members' factors may be from 1: those of reads from cached to nothing in memory."""
    of = channel == CHANNEL
    if not CACHED[of].any():
        return _WRITES_SPREAD
    return float(np.clip(_READS_SPREAD * full[of].max() / max(shared[of].max(), 1e-12), 1, _WIDEST))


def _factors(parts: Floats, work: Floats, spread: float) -> tuple[Floats, float]:
    """Times the shared cost of each member, and what is left, from one channel's disk time."""
    rows = np.column_stack([parts.T, np.ones(parts.shape[1])]) / _ERROR
    mean = np.append(np.ones(len(parts)), 0.0)
    spreads = np.append(np.full(len(parts), spread), _BACKGROUND_SPREAD)
    found = ridge(rows, work / _ERROR, mean, spreads)
    return np.maximum(found[:-1], _FLOOR), float(found[-1])


def _jitter(errors: Floats, work: Floats, samples: NDArray[np.int64]) -> float:
    """Error of one sample, of the disk time around it: what differs from one sample to the next."""
    level = smooth(work)
    use = (np.diff(samples) == 1) & (level[1:] > _JITTER_USED)
    steps = np.abs(np.diff(errors)[use]) / level[1:][use]
    return max(_JITTER, float(np.quantile(steps, _WITHIN)) / np.sqrt(2)) if len(steps) else _JITTER


def smooth(rates: Floats) -> Floats:
    """The mean over AROUND samples on both sides, of rates whose last axis is time."""
    weights = np.ones(2 * AROUND + 1)
    counts = np.convolve(np.ones(rates.shape[-1]), weights)[AROUND:-AROUND]
    sums = np.apply_along_axis(lambda each: np.convolve(each, weights)[AROUND:-AROUND], -1, rates)
    mean: Floats = sums / counts
    return mean
