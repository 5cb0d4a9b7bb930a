"""Columns: the explanations that an episode's disk time is divided among.

Each is a course of disk time by channel, times a coefficient that is to be found and of which something is known
before: its mean and spread. Suspects have columns of their own: members who did much more than they usually do, if
nothing of it had been in memory, and a few who usually read much and of whom memory may have lost hold. All others
share columns. Local work is whatever lasts as long as the episode, and what a collector saw of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nasacct.reports.attribution.device import CHANNELS
from nasacct.reports.attribution.requests import CACHED, CHANNEL, KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasacct.reports.attribution.costs import Costs
    from nasacct.reports.attribution.device import Device
    from nasacct.reports.attribution.scene import Flags, Floats

#: So many members may be suspects for what they did beyond the usual, at least this much of a disk; and for flips.
SUSPECTS, LEAST, FLIPS = 16, 0.03, 4
#: Priors: what is usual costs what it did; so do writes, less surely; reads from nothing to as if never in memory.
_USUAL_SPREAD, _WRITES_SPREAD, _READS, _FLIP_SPREAD = 0.35, 0.8, 0.8, 0.15
_REST_SPREAD, _BACKGROUND_SPREAD = 0.6, 0.03
#: Of a disk: local work of which nothing is known, or of which a collector would have told.
_LOCAL_UNSEEN, _LOCAL_SEEN, _LOCAL_KNOWN_SPREAD = 0.10, 0.06, 0.4
_FREED = KINDS.index("freed")
_FREED_MOST = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """An episode and what was around it; only samples that are present."""

    samples: NDArray[np.int64]  #: their indices in the scene
    inside: Flags  #: of the episode
    work: Floats  #: CHANNELS x samples: measured disk time
    kinds: Floats  #: members x KINDS x samples
    local_mb: Floats | None  #: samples


class Columns(NamedTuple):
    """Explanations: column k is `course[k]` times a coefficient of about `mean[k]`."""

    course: Floats  #: columns x CHANNELS x samples: disk time
    mean: Floats
    spread: Floats
    whose: Floats  #: columns x entities (members, then local work): whose its time inside is; each row sums to 1


class _Growing:
    """Columns so far."""

    def __init__(self, window: Window, members: int) -> None:
        self.window, self.entities = window, members + 1
        self.course: list[Floats] = []
        self.priors: list[tuple[float, float]] = []
        self.whose: list[Floats] = []

    def add(self, parts: dict[int, Floats], mean: float, spread: float, whose: int | Floats) -> None:
        """One column, of the channels it has; none if it has no time anywhere."""
        course = np.zeros((len(CHANNELS), len(self.window.inside)))
        for channel, part in parts.items():
            course[channel] = part
        if not course.any():
            return
        owners = np.zeros(self.entities)
        if isinstance(whose, int):
            owners[whose] = 1
        else:
            owners[: len(whose)] = whose / whose.sum()
        self.course.append(course)
        self.priors.append((mean, spread))
        self.whose.append(owners)

    def done(self) -> Columns:
        """All of them."""
        mean, spread = np.array(self.priors).T
        return Columns(np.stack(self.course), mean, spread, np.stack(self.whose))


def made(window: Window, costs: Costs, device: Device) -> Columns:
    """The columns of an episode."""
    members, inside = len(window.kinds), window.inside
    found = _Growing(window, members)
    excess = np.maximum(window.kinds - costs.usual[..., None], 0)
    own = costs.own
    usual = _by_channel((window.kinds - excess) * own[..., None])
    most = _most(excess, costs, own)
    weight = most[:, inside].mean(axis=1) if members else np.zeros(0)
    suspects = [int(each) for each in np.argsort(-weight, kind="stable")[:SUSPECTS] if weight[each] > LEAST]
    for each in suspects:
        _suspect(found, each, excess[each], own[each], costs.full)
        found.add(dict(enumerate(usual[each])), 1, _USUAL_SPREAD, each)
    _flips(found, window, costs, own, suspects)
    _rest(found, np.setdiff1d(np.arange(members), suspects), usual, excess, most, costs)
    for channel in range(len(CHANNELS)):
        level = np.ones(len(inside))
        found.add({channel: level}, float(costs.background[channel]), _BACKGROUND_SPREAD, members)
        unseen = _LOCAL_UNSEEN if window.local_mb is None else _LOCAL_SEEN
        found.add({channel: inside.astype(float)}, 0, unseen, members)
    if window.local_mb is not None:
        cost = device.seconds[1] / max(device.disks, 1)
        found.add({1: window.local_mb * cost}, 1, _LOCAL_KNOWN_SPREAD, members)
        found.add({0: window.local_mb * cost}, 0, _LOCAL_KNOWN_SPREAD, members)
    return found.done()


def _by_channel(parts: Floats) -> Floats:
    """Sums over the KINDS of each channel (members x CHANNELS x samples)."""
    return np.stack([parts[:, channel == CHANNEL].sum(axis=1) for channel in range(len(CHANNELS))], axis=1)


def _most(excess: Floats, costs: Costs, own: Floats) -> Floats:
    """Members x samples: the most disk time excess can have cost, no more than a disk has."""
    cost = np.where(CACHED, costs.full, own)
    total: Floats = np.minimum(np.einsum("mkt,mk->mt", excess, cost), 1)
    return total


def _suspect(found: _Growing, member: int, excess: Floats, own: Floats, full: Floats) -> None:
    inside = found.window.inside
    for kind, channel in enumerate(CHANNEL.tolist()):
        if CACHED[kind]:
            course = excess[kind] * full[kind]
            most = course[inside].mean()
            found.add({channel: course}, 0, min(1.0, _READS / max(most, 1e-9)), member)
        elif kind == _FREED:
            course = excess[kind] * own[kind]
            found.add({channel: course}, 0, min(_FREED_MOST, _READS / max(course[inside].mean(), 1e-9)), member)
        else:
            found.add({channel: excess[kind] * own[kind]}, 1, _WRITES_SPREAD, member)


def _flips(found: _Growing, window: Window, costs: Costs, own: Floats, suspects: list[int]) -> None:
    """Members of whose usual reads memory may have lost hold while the episode lasted."""
    more = np.maximum(costs.full - own, 0) * CACHED
    courses = _by_channel(window.kinds * more[..., None]) * window.inside
    weight = np.minimum(courses.sum(axis=1), 1)[:, window.inside].mean(axis=1) if len(courses) else np.zeros(0)
    others = [int(each) for each in np.argsort(-weight, kind="stable") if int(each) not in suspects]
    for each in others[:FLIPS]:
        if weight[each] > LEAST:
            for channel in (0, 1):
                spread = min(1.0, _FLIP_SPREAD / max(courses[each, channel, window.inside].mean(), 1e-9))
                found.add({channel: courses[each, channel]}, 0, spread, each)


def _rest(found: _Growing, rest: Floats, usual: Floats, excess: Floats, most: Floats, costs: Costs) -> None:
    if not len(rest):
        return
    inside, members = found.window.inside, len(usual)
    for channel in range(len(CHANNELS)):
        whose = np.zeros(members)
        whose[rest] = usual[rest, channel][:, inside].sum(axis=1)
        if whose.any():
            found.add({channel: usual[rest, channel].sum(axis=0)}, 1, _USUAL_SPREAD, whose)
    cost = np.where(CACHED, costs.full, costs.shared)
    whose = np.zeros(members)
    whose[rest] = most[rest][:, inside].sum(axis=1)
    if not whose.any():
        return
    for channel in range(len(CHANNELS)):
        of = channel == CHANNEL
        course = np.einsum("mkt,k->t", excess[rest][:, of], cost[of])
        mean, spread = (1, _REST_SPREAD) if not CACHED[of].any() else (0, _READS / max(course[inside].mean(), 1e-9))
        found.add({channel: course}, mean, min(1.0, spread), whose)
