"""The truth of a scenario: its episodes, and whose the disk time in them was.

An episode is what the disks themselves say: samples in which the busiest was busy for 0.95 of the time, or for 0.85
with 0.3 s of work waiting; those at most 60 s apart are one, and one of less than 60 s is none. A share is a part of an
episode's disk time; blame is a part of its increase over everybody's mean outside of episodes. Guilty is a member of a
blame of at least 0.2 and a share of at least 0.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from bench.scenarios.disks import Floats
    from bench.scenarios.pool import Course

STEP_S = 10
FULL, NEARLY, WAITING_S = 0.95, 0.85, 0.3
_APART, _SHORTEST, _MINOR, _AWAY = 6, 6, 12, 6
_USUAL = 0.2
GUILTY, GREY, LEAST_SHARE = 0.20, 0.12, 0.10
_SHOWN = 0.002


def by_step(values: Floats) -> Floats:
    """Means of whole samples, of values whose first axis is seconds."""
    steps = len(values) // STEP_S
    found: Floats = values[: steps * STEP_S].reshape(steps, STEP_S, *values.shape[1:]).mean(axis=1)
    return found


def used(course: Course, members: np.ndarray, count: int, slower: Floats | None) -> Floats:
    """Disk time by sample and entity: members, local work, and what a slow disk took too long."""
    work = np.zeros((len(course.time), count + 2))
    for member in range(count):
        work[:, member] = course.time[:, members == member].sum(axis=1)
    work[:, count] = course.local_time.sum(axis=1)
    if slower is not None:
        work[:, count + 1] = work.sum(axis=1) * (slower - 1)
    return by_step(work)


def episodes(busy: Floats, backlog_s: Floats) -> list[tuple[int, int]]:
    """First sample and the one after the last, of each episode."""
    full = np.flatnonzero((busy >= FULL) | ((busy >= NEARLY) & (backlog_s >= WAITING_S)))
    if not len(full):
        return []
    parts = np.split(full, np.flatnonzero(np.diff(full) - 1 > _APART) + 1)
    return [(int(each[0]), int(each[-1]) + 1) for each in parts if each[-1] + 1 - each[0] >= _SHORTEST]


def labels(work: Floats, found: list[tuple[int, int]], names: list[str]) -> list[dict[str, Any]]:
    """What a scorer knows of each episode; times are seconds after the start."""
    entities = [*(f"member:{each}" for each in names), "local", "hardware"]
    usual = np.ones(len(work), bool)
    for first, end in found:
        usual[max(first - _AWAY, 0) : end + _AWAY] = False
    normal = work[usual].mean(axis=0) if usual.mean() >= _USUAL else np.zeros(work.shape[1])
    return [_label(work[first:end], normal, entities, names) | _when(first, end) for first, end in found]


def _when(first: int, end: int) -> dict[str, Any]:
    return {"start": first * STEP_S, "end": end * STEP_S, "minor": end - first < _MINOR}


def _label(work: Floats, normal: Floats, entities: list[str], names: list[str]) -> dict[str, Any]:
    mean = work.mean(axis=0)
    shares, more = mean / mean.sum(), np.maximum(mean - normal, 0)
    blame = more / max(more.sum(), 1e-9)
    of_members = range(len(names))
    guilty = [entities[each] for each in of_members if blame[each] >= GUILTY and shares[each] >= LEAST_SHARE]
    grey = [entities[each] for each in of_members if blame[each] >= GREY and entities[each] not in guilty]
    top = int(np.argmax(blame))
    return {
        "guilty": guilty,
        "grey": grey,
        "top": entities[top] if blame[top] >= GUILTY else "diffuse",
        "local_blame": round(float(blame[-2]), 4),
        "hardware_blame": round(float(blame[-1]), 4),
        "share": {e: round(float(s), 4) for e, s in zip(entities, shares, strict=True) if s >= _SHOWN},
        "blame": {e: round(float(b), 4) for e, b in zip(entities, blame, strict=True) if b >= _SHOWN},
    }
