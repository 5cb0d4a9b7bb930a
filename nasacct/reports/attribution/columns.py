"""Columns: the explanations that an episode's disk time is divided among.

Each is a course of disk time by channel, times a coefficient that is to be found and of which something is known
before: its mean and spread. Members who did much more than they usually do have columns of their own, and so have those
who removed files, whose sizes nobody knows, and those of whose usual reads memory may have lost hold. All others share
columns. Local work is whatever lasts as long as the episode, and what a collector saw of it.

An explanation that would take much of a disk, and that need not be true, is a claim: that reads were not from memory,
that huge files were removed, that there was local work. Columns of a claim are narrow unless it holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nasacct.reports.attribution.device import CHANNELS, READ_MB, READS, WRITE_MB, WRITES
from nasacct.reports.attribution.requests import CACHED, CHANNEL, KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasacct.reports.attribution.costs import Costs
    from nasacct.reports.attribution.device import Device
    from nasacct.reports.attribution.scene import Flags, Floats

#: So many members have columns of their own for what they did beyond the usual, at least this much of a disk; those of
#: at least MUCH one for each kind of request. So many may have removed huge files, and so many lost hold of memory.
SUSPECTS, LEAST, MUCH, REMOVERS, FLIPS = 16, 0.03, 0.1, 3, 6
#: Spreads: what is usual costs what it did; so do writes beyond it, less surely, but for their bytes: how many IOs
#: these take is how they lie; what others did beyond it.
_USUAL, _WRITES, _WRITTEN, _REST_MEAN, _REST = 0.35, 1.2, 0.4, 0.3, 0.4
#: Of a disk: the spread of a claim that holds, and of one that does not.
_HOLDS, _NOT, _HARDLY = 0.8, 0.06, 0.015
_BACKGROUND = 0.03
#: How likely a claim is before anything is seen.
_COLD, _DEAR, _HUGE, _FLIP, _MANY = 0.3, 0.1, 0.03, 0.03, 0.3
_LOCAL, _LOCAL_SEEN, _OTHER_SEEN, _LOCAL_WRITES = 0.1, 0.5, 0.02, 0.01
#: MB of an IO, of streams over one disk: those of members, and those of local work, which reads on as it can.
_STREAM_MB, _LOCAL_MB = 0.25, (0.128, 1.0)
_ALWAYS = -1
#: Of the mean inside: what is more of a course is cut off. Of the most that waited to be freed: freeing goes on.
_CUT, _BEGUN = 0.3, 0.002

_CALLING = [np.isin(KINDS, kinds) for kinds in (("commits",), ("writes", "runs"), ("changes", "removes", "freed"))]
_CALLED = np.isin(KINDS, ("reads", "read_mb"))
_RUNS = KINDS.index("runs")
_LOOKUPS, _STREAMED, _RECORDS = KINDS.index("lookups"), KINDS.index("read_mb"), KINDS.index("records")
_REMOVES, _FREED = KINDS.index("removes"), KINDS.index("freed")


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """An episode and what was around it; only samples that are present."""

    samples: NDArray[np.int64]  #: their indices in the scene
    inside: Flags  #: of the episode
    work: Floats  #: CHANNELS x samples: measured disk time
    kinds: Floats  #: members x KINDS x samples, when they cost as disks keep up
    prompt: Floats  #: the same if nothing is put off: what is dirty is written at once when there is much of it
    local_mb: Floats | None  #: samples


class Columns(NamedTuple):
    """Explanations: column k is `course[k]` times a coefficient of about `mean[k]`."""

    course: Floats  #: columns x CHANNELS x samples: disk time
    mean: Floats
    spread: Floats  #: if its claim holds, or it belongs to none
    narrow: Floats  #: if its claim does not hold
    claim: NDArray[np.int64]  #: index in `likely`; negative: none
    likely: Floats  #: claims: how likely each is before anything is seen
    whose: Floats  #: columns x entities (members, then local work): whose its time inside is; each row sums to 1


class _Growing:
    """Columns so far."""

    def __init__(self, window: Window, members: int) -> None:
        self.window, self.entities = window, members + 1
        self.course: list[Floats] = []
        self.priors: list[tuple[float, float, float, int]] = []
        self.likely: list[float] = []
        self.whose: list[Floats] = []

    def claim(self, likely: float) -> int:
        """A claim that columns may belong to."""
        self.likely.append(likely)
        return len(self.likely) - 1

    def add(self, course: Floats, mean: float, spread: float, whose: int | Floats) -> None:
        """A column that belongs to no claim."""
        self._add(course, (mean, spread, spread, _ALWAYS), whose)

    def claimed(
        self, course: Floats, claim: int, whose: int | Floats, most: float = 1.0, otherwise: float = _NOT
    ) -> None:
        """A column that is about 0; if its claim holds, up to what takes a disk, but no coefficient above `most`."""
        full = max(float(course[:, self.window.inside].sum(axis=0).mean()), 1e-9)
        self._add(course, (0.0, min(most, _HOLDS / full), min(most, otherwise / full), claim), whose)

    def _add(self, course: Floats, prior: tuple[float, float, float, int], whose: int | Floats) -> None:
        if not course.any():
            return
        owners = np.zeros(self.entities)
        if isinstance(whose, int):
            owners[whose] = 1
        else:
            owners[: len(whose)] = whose / whose.sum()
        self.course.append(course)
        self.priors.append(prior)
        self.whose.append(owners)

    def done(self) -> Columns:
        """All of them."""
        mean, spread, narrow, claim = (np.array(each) for each in zip(*self.priors, strict=True))
        return Columns(np.stack(self.course), mean, spread, narrow, claim, np.array(self.likely), np.stack(self.whose))


def made(window: Window, costs: Costs, device: Device) -> Columns:
    """The columns of an episode."""
    members, inside = len(window.kinds), window.inside
    found = _Growing(window, members)
    excess = np.maximum(window.kinds - costs.usual[..., None], 0)
    own = costs.own
    usual = _by_channel((window.kinds - excess) * own[..., None])
    most = np.where(CACHED, costs.full, own)
    courses = excess * most[..., None]
    prompt = np.maximum(window.prompt - costs.usual[..., None], 0) * most[..., None]
    weight = np.minimum(courses.sum(axis=1), 1)[:, inside].mean(axis=1)
    suspects = [int(each) for each in np.argsort(-weight, kind="stable")[:SUSPECTS] if weight[each] > LEAST]
    for each in suspects:
        _suspect(found, each, courses[each], prompt[each], usual[each], device, much=weight[each] > MUCH)
    _removers(found, excess, own)
    _flips(found, costs, own, suspects)
    _rest(found, [each for each in range(members) if weight[each] <= MUCH or each not in suspects], usual, None)
    others = [each for each in range(members) if each not in suspects]
    _rest(found, others, usual, courses)
    _many(found, courses + prompt, weight)
    _local(found, costs, device, members)
    return found.done()


def _by_channel(parts: Floats) -> Floats:
    """Sums over the KINDS of each channel (... x CHANNELS x samples)."""
    return np.stack([parts[..., channel == CHANNEL, :].sum(axis=-2) for channel in range(len(CHANNELS))], axis=-2)


def _suspect(
    found: _Growing, member: int, courses: Floats, prompt: Floats, usual: Floats, device: Device, *, much: bool
) -> None:
    cold = found.claim(_COLD)
    if not much:
        found.claimed(_by_channel(courses * CACHED[:, None]), cold, member)
        found.add(_by_channel(courses * ~CACHED[:, None]), 1, _WRITES, member)
        return
    found.claimed(_only(READS, courses[_LOOKUPS]), cold, member)
    found.claimed(_by_channel(courses * _CALLED[:, None]), cold, member)
    found.claimed(_only(READ_MB, courses[_RECORDS]), cold, member)
    found.claimed(_stream(courses[_STREAMED], _STREAM_MB, device), cold, member)
    found.claimed(_flat(_by_channel(courses * CACHED[:, None]), found.window.inside), cold, member)
    for part in _CALLING:
        course = _by_channel(courses * part[:, None])
        full = max(float(course[:, found.window.inside].sum(axis=0).mean()), 1e-9)
        found.add(course, 1, max(_WRITES, _HOLDS / full) if part[_RUNS] else _WRITES, member)
    found.add(_only(WRITE_MB, _by_channel(courses)[WRITE_MB]), 1, _WRITTEN, member)
    dear, written = found.claim(_DEAR), _by_channel(courses + prompt)
    for channel in (WRITES, WRITE_MB):
        found.claimed(_flat(_only(channel, written[channel]), found.window.inside), dear, member, np.inf)
    found.add(usual, 1, _USUAL, member)


def _flat(course: Floats, inside: Flags) -> Floats:
    """A course cut off at a part of its mean inside: who asks for more than a disk can do takes what it gives."""
    total = course.sum(axis=0)
    top = _CUT * total[inside].mean()
    cut: Floats = course * np.minimum(1, top / np.maximum(total, 1e-12))
    return cut


def _stream(moved: Floats, size_mb: float, device: Device, calls: int = READS, mb: int = READ_MB) -> Floats:
    """Disk time of moving what takes `moved` of it for its bytes alone, by IOs of this size."""
    seconds = device.seconds
    course = np.zeros((len(CHANNELS), len(moved)))
    course[calls], course[mb] = moved * seconds[calls] / (seconds[mb] * size_mb), moved
    return course


def _removers(found: _Growing, excess: Floats, own: Floats) -> None:
    """Members who removed most: what it takes to free a file grows with its size, which no counter shows.

    It costs at once, or over minutes; or what is to be freed waits, and takes whatever the disks give.
    """
    inside = found.window.inside
    removed = excess[:, _FREED][:, inside].sum(axis=1)
    for each in np.argsort(-removed, kind="stable")[:REMOVERS].tolist():
        if removed[each] > 0:
            huge = found.claim(_HUGE)
            waits = excess[each, _FREED]
            for part in (excess[each, _REMOVES], waits, inside * (waits > _BEGUN * waits.max())):
                found.claimed(_only(WRITES, part * own[each, _REMOVES]), huge, each, np.inf, _HARDLY)


def _flips(found: _Growing, costs: Costs, own: Floats, suspects: list[int]) -> None:
    """Members of whose usual reads memory may have lost hold while the episode lasted."""
    inside = found.window.inside
    more = np.maximum(costs.full - own, 0) * CACHED
    courses = _by_channel(found.window.kinds * more[..., None]) * inside
    weight = np.minimum(courses.sum(axis=1), 1)[:, inside].mean(axis=1)
    others = [int(each) for each in np.argsort(-weight, kind="stable") if int(each) not in suspects]
    for each in others[:FLIPS]:
        if weight[each] > MUCH:
            flip = found.claim(_FLIP)
            found.claimed(courses[each], flip, each)
            found.claimed(_only(READS, courses[each, READS]), flip, each)


def _rest(found: _Growing, rest: list[int], usual: Floats, courses: Floats | None) -> None:
    """What the others usually do; or, of `courses`, what they did beyond that."""
    inside = found.window.inside
    for channel in range(len(CHANNELS)):
        course, whose = np.zeros((len(CHANNELS), len(inside))), np.zeros(len(usual))
        each = usual[rest, channel] if courses is None else courses[rest][:, channel == CHANNEL].sum(axis=1)
        course[channel] = each.sum(axis=0)
        whose[rest] = each[:, inside].sum(axis=1)
        if not whose.any():
            whose[rest] = 1
        if courses is None:
            found.add(course, 1, _USUAL, whose)
        else:
            mean, spread = (1, _WRITES) if channel in {WRITES, WRITE_MB} else (_REST_MEAN, _REST)
            found.add(course, mean, spread, whose)


def _many(found: _Growing, courses: Floats, weight: Floats) -> None:
    """All who did more than they usually do, each little, and all together more than a disk can do."""
    small = np.where(weight < MUCH, weight, 0)
    if small.any():
        many = found.claim(_MANY)
        total = _by_channel(courses[small > 0].sum(axis=0))
        for channel in range(len(CHANNELS)):
            course = _flat(_only(channel, total[channel]), found.window.inside)
            found.claimed(course, many, small, np.inf)


def _local(found: _Growing, costs: Costs, device: Device, local: int) -> None:
    inside, seen = found.window.inside, found.window.local_mb
    for channel in range(len(CHANNELS)):
        found.add(_only(channel, np.ones(len(inside))), float(costs.background[channel]), _BACKGROUND, local)
    unseen = found.claim(_LOCAL if seen is None else _OTHER_SEEN)
    for size_mb in _LOCAL_MB:
        found.claimed(_stream(inside.astype(float), size_mb, device), unseen, local, np.inf)
    writes = found.claim(_LOCAL_WRITES)
    for size_mb in _LOCAL_MB:
        course = _stream(inside.astype(float), size_mb, device, WRITES, WRITE_MB)
        found.claimed(course, writes, local, np.inf, _HARDLY)
    if seen is not None:
        known, course = found.claim(_LOCAL_SEEN), seen * device.seconds[1] / max(device.disks, 1)
        for size_mb in _LOCAL_MB:
            found.claimed(_stream(course, size_mb, device), known, local, np.inf)


def _only(channel: int, course: Floats) -> Floats:
    courses = np.zeros((len(CHANNELS), len(course)))
    courses[channel] = course
    return courses
