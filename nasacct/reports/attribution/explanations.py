"""Explanations: the columns of an episode, from what members did and what they usually do.

Members who did much more than they usually do have columns of their own, and so have those who removed files, whose
sizes nobody knows, and those of whose usual reads memory may have lost hold. All others share columns. Local work is
whatever lasts as long as the episode, and what a collector saw of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution.columns import HOLDS, Growing
from nasacct.reports.attribution.courses import by_channel, flat, only, stream
from nasacct.reports.attribution.device import CHANNELS, READ_MB, READS, WRITE_MB, WRITES
from nasacct.reports.attribution.requests import CACHED, CHANNEL, KINDS

if TYPE_CHECKING:
    from nasacct.reports.attribution.columns import Columns, Window
    from nasacct.reports.attribution.costs import Costs
    from nasacct.reports.attribution.device import Device
    from nasacct.reports.attribution.scene import Floats

#: So many members have columns of their own for what they did beyond the usual, at least this much of a disk; those of
#: at least MUCH one for each kind of request. So many may have removed huge files, and so many lost hold of memory.
SUSPECTS, LEAST, MUCH, REMOVERS, FLIPS = 16, 0.03, 0.1, 3, 6
#: Spreads: what is usual costs what it did; so do writes beyond it, less surely, but for their bytes: how many IOs
#: these take is how they lie; what others did beyond it.
_USUAL, _WRITES, _WRITTEN, _REST_MEAN, _REST = 0.35, 1.2, 0.4, 0.3, 0.4
#: Of a disk: the spread of a claim that does not hold, if it is a bold one.
_HARDLY = 0.015
_BACKGROUND = 0.03
#: Spread of what local work costs that is known to have been.
_COUNTED = 0.5
#: Times what they usually take, how many IOs writes may take.
_DEAREST = 8.0
#: How likely a claim is before anything is seen.
_COLD, _BEFORE, _DEAR, _HUGE, _FLIP, _MANY = 0.3, 0.1, 0.1, 0.03, 0.03, 0.3
_LOCAL, _LOCAL_SEEN, _OTHER_SEEN, _LOCAL_WRITES = 0.1, 0.5, 0.02, 0.01
_LEAST_MB = 0.004
#: MB of an IO, of streams over one disk: those of members, and those of local work, which reads on as it can.
_STREAM_MB, _LOCAL_MB = 0.25, (0.128, 1.0)
#: Of the most that waited to be freed: with more than this, freeing goes on.
_BEGUN = 0.002

_CALLING = [np.isin(KINDS, kinds) for kinds in (("commits",), ("writes", "runs"), ("changes", "removes", "freed"))]
_CALLED = np.isin(KINDS, ("reads", "read_mb"))
_RUNS = KINDS.index("runs")
_REWRITTEN = [KINDS.index(each) for each in ("writes", "commits")]
_LOOKUPS, _STREAMED, _RECORDS = KINDS.index("lookups"), KINDS.index("read_mb"), KINDS.index("records")
_REMOVES, _FREED = KINDS.index("removes"), KINDS.index("freed")


def made(window: Window, costs: Costs, device: Device) -> Columns:
    """The columns of an episode."""
    members, inside = len(window.kinds), window.inside
    found = Growing(window, members)
    # as precise as activity is, which of a thousand members is most of what is in memory
    precision = window.kinds.dtype
    ordinary, own = costs.usual.astype(precision)[..., None], costs.own.astype(precision)
    excess = np.maximum(window.kinds - ordinary, 0)
    usual = by_channel((window.kinds - excess) * own[..., None])
    most = np.where(CACHED, costs.full, own).astype(precision)
    courses = excess * most[..., None]
    prompt = np.maximum(window.prompt - ordinary, 0) * most[..., None]
    before = excess[:, _REWRITTEN].sum(axis=1) * device.seconds[READS]
    weight = np.minimum(courses.sum(axis=1) + before, 1)[:, inside].mean(axis=1)
    suspects = [int(each) for each in np.argsort(-weight, kind="stable")[:SUSPECTS] if weight[each] > LEAST]
    for each in suspects:
        _suspect(found, each, courses[each], prompt[each], usual[each], device, much=weight[each] > MUCH)
        if weight[each] > MUCH:
            _rewriter(found, each, only(READS, before[each]))
    _removers(found, excess, own)
    _flips(found, costs, own, suspects)
    _rest(found, [each for each in range(members) if weight[each] <= MUCH or each not in suspects], usual, None)
    others = [each for each in range(members) if each not in suspects]
    _rest(found, others, usual, courses)
    _many(found, courses + prompt, weight)
    _local(found, costs, device, members)
    return found.done()


def _suspect(
    found: Growing, member: int, courses: Floats, prompt: Floats, usual: Floats, device: Device, *, much: bool
) -> None:
    cold = found.claim(_COLD)
    if not much:
        found.claimed(by_channel(courses * CACHED[:, None]), cold, member)
        found.add(by_channel(courses * ~CACHED[:, None]), 1, _WRITES, member)
        return
    found.claimed(only(READS, courses[_LOOKUPS]), cold, member)
    found.claimed(by_channel(courses * _CALLED[:, None]), cold, member)
    found.claimed(only(READ_MB, courses[_RECORDS]), cold, member)
    found.claimed(stream(courses[_STREAMED], _io_mb(found.window, device), device), cold, member)
    found.claimed(flat(by_channel(courses * CACHED[:, None]), found.window.inside), cold, member)
    for part in _CALLING:
        course = by_channel(courses * part[:, None])
        full = max(float(course[:, found.window.inside].sum(axis=0).mean()), 1e-9)
        found.add(course, 1, np.clip(HOLDS / full, _WRITES, _DEAREST) if part[_RUNS] else _WRITES, member)
    found.add(only(WRITE_MB, by_channel(courses)[WRITE_MB]), 1, _WRITTEN, member)
    dear, written = found.claim(_DEAR), by_channel(courses + prompt)
    for channel in (WRITES, WRITE_MB):
        found.claimed(flat(only(channel, written[channel]), found.window.inside), dear, member, _DEAREST)
    found.add(usual, 1, _USUAL, member)


def _rewriter(found: Growing, member: int, course: Floats) -> None:
    """What is written may have to be read first: parity of less than a stripe, or the rest of a record."""
    before = found.claim(_BEFORE)
    found.claimed(course, before, member)
    found.claimed(flat(course, found.window.inside), before, member)


def _io_mb(window: Window, device: Device, most: float = _STREAM_MB) -> float:
    """MB of an IO of a stream: no more than the disks' own IOs had inside."""
    calls, mb = (window.work[channel][window.inside].sum() / device.seconds[channel] for channel in (READS, READ_MB))
    return float(np.clip(mb / calls, _LEAST_MB, most)) if calls > 0 else most


def _removers(found: Growing, excess: Floats, own: Floats) -> None:
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
                found.claimed(only(WRITES, part * own[each, _REMOVES]), huge, each, np.inf, _HARDLY)


def _flips(found: Growing, costs: Costs, own: Floats, suspects: list[int]) -> None:
    """Members of whose usual reads memory may have lost hold while the episode lasted."""
    inside = found.window.inside
    more = np.maximum(costs.full - own, 0) * CACHED
    courses = by_channel(found.window.kinds * more[..., None]) * inside
    weight = np.minimum(courses.sum(axis=1), 1)[:, inside].mean(axis=1)
    others = [int(each) for each in np.argsort(-weight, kind="stable") if int(each) not in suspects]
    for each in others[:FLIPS]:
        if weight[each] > MUCH:
            flip = found.claim(_FLIP)
            found.claimed(courses[each], flip, each)
            found.claimed(only(READS, courses[each, READS]), flip, each)


def _rest(found: Growing, rest: list[int], usual: Floats, courses: Floats | None) -> None:
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


def _many(found: Growing, courses: Floats, weight: Floats) -> None:
    """All who did more than they usually do, each little, and all together more than a disk can do."""
    small = np.where(weight < MUCH, weight, 0)
    if small.any():
        many = found.claim(_MANY)
        total = by_channel(courses[small > 0].sum(axis=0))
        for channel in range(len(CHANNELS)):
            course = flat(only(channel, total[channel]), found.window.inside)
            found.claimed(course, many, small, np.inf)


def _local(found: Growing, costs: Costs, device: Device, local: int) -> None:
    inside, seen = found.window.inside, found.window.local_mb
    for channel in range(len(CHANNELS)):
        found.add(only(channel, np.ones(len(inside))), float(costs.background[channel]), _BACKGROUND, local)
    unseen = found.claim(_LOCAL if seen is None else _OTHER_SEEN)
    for size_mb in _LOCAL_MB:
        found.claimed(stream(inside.astype(float), size_mb, device), unseen, local, np.inf)
    writes = found.claim(_LOCAL_WRITES)
    for size_mb in _LOCAL_MB:
        course = stream(inside.astype(float), size_mb, device, WRITES, WRITE_MB)
        found.claimed(course, writes, local, np.inf, _HARDLY)
    each = device.seconds / max(device.disks, 1)
    if found.window.sure_mb is not None:
        course = stream(found.window.sure_mb * each[READ_MB], _io_mb(found.window, device, _LOCAL_MB[-1]), device)
        found.add(course, 1, _COUNTED, local)
    for moved, calls, mb in ((seen, READS, READ_MB), (found.window.local_written_mb, WRITES, WRITE_MB)):
        if moved is not None:
            known = found.claim(_LOCAL_SEEN)
            for size_mb in _LOCAL_MB:
                found.claimed(stream(moved * each[mb], size_mb, device, calls, mb), known, local, np.inf)
