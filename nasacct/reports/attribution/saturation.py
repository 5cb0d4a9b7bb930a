"""Saturation: in which samples the disks did not keep up.

A rotating disk serves one IO at a time, so the share of time it is busy says how full it is; one that serves dozens at
a time is always busy (iostat(1) warns of it), so there it is waits and queues against their own normal, and that tasks
stood still for it. One that is idle for a part of the time keeps up all the same, whatever it is held against. And that
tasks stood still is counted of the whole machine: beside rotating disks of the same pool that are full it says nothing.

A rotating disk that is busy for less than all of a sample may have been full in a part of it. That tasks stood still
does not say so: pressure is full while a processor runs nothing and one of its tasks waits for IO (Linux,
kernel/sched/psi.c), so one who reads synchronously makes it so for as long as the disk works for him alone. What says
so is that more IOs were there, or each took longer, than a disk as busy as this has of IOs that come one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution import facts as facts_of
from nasacct.reports.attribution.facts import Facts
from nasacct.reports.attribution.thresholds import Thresholds

if TYPE_CHECKING:
    from nasacct.reports.attribution.scene import Flags, Floats, Scene


@dataclass(frozen=True, slots=True)
class Levels:
    """What is normal of a disk; inf: nobody knows."""

    wait_ms: float  #: the wait that a quarter of the samples are below
    queue: float  #: the median


def levels(facts: Facts) -> Levels:
    """What these samples were like."""
    return Levels(_level(facts.wait_ms[facts.present], 0.25), _level(facts.queue[facts.present], 0.5))


def saturated(seen: Scene | Facts, limits: Thresholds | None = None, normal: Levels | None = None) -> Flags:
    """Of each sample, whether it is saturated; one that is not present never is.

    `normal` is what samples are held against; without it these samples themselves.
    """
    limits = limits or Thresholds()
    facts = seen if isinstance(seen, Facts) else facts_of.of_scene(seen)
    if not facts.present.any():
        return np.zeros(len(facts), bool)
    with np.errstate(invalid="ignore"):
        found = (_rotating if facts.rotational else _parallel)(facts, limits, normal or levels(facts))
    return found & facts.present


def _rotating(facts: Facts, limits: Thresholds, normal: Levels) -> Flags:
    busy, late, stood = facts.busy, facts.sync_s > limits.sync_s, facts.full >= limits.full
    whole = (facts.median >= limits.busy_others) | (busy >= limits.behind * facts.median)
    full = (busy >= limits.busy) & (whole | late | stood)
    in_part = late | (stood & _waited(facts, normal))
    found: Flags = full | ((busy >= limits.busy_stalled) & in_part)
    return found


def _waited(facts: Facts, normal: Levels) -> Flags:
    """Whether more waited than where IOs come independently of each other (M/M/1).

    A disk that is busy for `b` of the time then has b / (1 - b) of them, each for 1 / (1 - b) times as long as alone.
    """
    idle = 1 - facts.busy
    found: Flags = (facts.queue * idle >= facts.busy) | (facts.wait_ms * idle >= normal.wait_ms)
    return found


def _parallel(facts: Facts, limits: Thresholds, normal: Levels) -> Flags:
    slow = facts.wait_ms >= limits.wait_ratio * normal.wait_ms
    long = facts.queue >= limits.queue_ratio * normal.queue
    found: Flags = (slow | long) & (facts.some >= limits.some) & (facts.busy >= limits.busy_stalled)
    if facts.beside is None:
        return found
    late = facts.sync_s > limits.sync_s
    return found & ~((facts.beside >= limits.busy) | ((facts.beside >= limits.busy_stalled) & late))


def _level(rates: Floats, quantile: float) -> float:
    known = rates[np.isfinite(rates)]
    return float(np.quantile(known, quantile)) if len(known) else np.inf
