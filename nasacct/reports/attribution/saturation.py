"""Saturation: in which samples the disks did not keep up.

A rotating disk serves one IO at a time, so the share of time it is busy says how full it is; one that serves dozens at
a time is always busy (iostat(1) warns of it), so there it is waits and queues against their own normal, and that tasks
stood still for it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nasacct.reports.attribution.scene import Flags, Floats, Scene


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on a sample is saturated."""

    busy: float = 0.95
    busy_stalled: float = 0.85  #: busy enough if tasks stand still, too
    busy_others: float = 0.92  #: of the median disk, beside one that is busy
    behind: float = 1.3  #: unless the busiest is so many times as busy: the pool waits for it alone
    full: float = 0.40  #: PSI full
    sync_s: float = 5.5  #: zfs_txg_timeout and half a second
    wait_ratio: float = 2.0  #: times the wait that a quarter of the samples are below
    queue_ratio: float = 4.0  #: times the median queue
    some: float = 0.50  #: PSI some


def saturated(scene: Scene, limits: Thresholds | None = None) -> Flags:
    """Of each sample, whether it is saturated; one that is not present never is."""
    limits = limits or Thresholds()
    if not len(scene) or not scene.disks.names:
        return np.zeros(len(scene), bool)
    found = _rotating(scene, limits) if scene.rotational else _parallel(scene, limits)
    return found & scene.present


def _rotating(scene: Scene, limits: Thresholds) -> Flags:
    busy = _worst(scene.disks.busy)
    stalled = (scene.full >= limits.full) | (scene.sync_s > limits.sync_s)
    median = np.median(scene.disks.busy, axis=0)
    whole = (median >= limits.busy_others) | (busy >= limits.behind * median)
    return ((busy >= limits.busy) & whole) | ((busy >= limits.busy_stalled) & stalled)


def _parallel(scene: Scene, limits: Thresholds) -> Flags:
    wait, queue = _worst(scene.disks.wait_ms), _worst(scene.disks.queue)
    slow = wait >= limits.wait_ratio * _level(wait[scene.present], 0.25)
    long = queue >= limits.queue_ratio * _level(queue[scene.present], 0.5)
    return (slow | long) & (scene.some >= limits.some)


def _worst(rates: Floats) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of samples that are NaN altogether
        worst: Floats = np.nanmax(rates, axis=0)
    return worst


def _level(rates: Floats, quantile: float) -> float:
    known = rates[np.isfinite(rates)]
    return float(np.quantile(known, quantile)) if len(known) else np.inf
