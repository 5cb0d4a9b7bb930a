"""Why the disks did not keep up: from the store's counters of some minutes, everything a dossier is made of.

What is normal says the model that the keeper made of that day's week; where there is none it is learnt from the time
around the window, without episodes. The same store gives the same answer.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from nasacct.errors import NO_INPUT, UNAVAILABLE, NasacctError, of_os
from nasacct.reports import components, facts, layout, models
from nasacct.reports.attribution import engine, episodes, fit
from nasacct.reports.attribution.episodes import Episode
from nasacct.reports.attribution.harm import usual
from nasacct.reports.attribution.reach import reached
from nasacct.reports.attribution.saturation import saturated
from nasacct.reports.attribution.scene import DATA, STEP_S
from nasacct.reports.attribution.thresholds import Thresholds
from nasacct.reports.exports import Exports
from nasacct.reports.minutes import extent
from nasacct.reports.noted import noted
from nasacct.reports.owners import ByMember
from nasacct.reports.scenes import scene
from nasacct.store import inventory, notes
from nasacct.store.segments import SegmentError
from nasacct.times import us

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nasacct.reports.attribution.costs import Costs
    from nasacct.reports.attribution.engine import Judged, Model
    from nasacct.reports.attribution.harm import Usual
    from nasacct.reports.attribution.scene import Flags, Scene
    from nasacct.reports.layout import Pool
    from nasacct.reports.models import Learnt
    from nasacct.store.inventory import Inventory
    from nasacct.store.notes import Note
    from nasacct.store.warehouse import Warehouse

log = logging.getLogger(__name__)

#: So much before and after a window is looked at to learn what is normal, where no model is kept.
BEFORE, AFTER = timedelta(hours=3), timedelta(minutes=30)
#: And where one is: as much as a fit looks at, and before it what was written then and costs later.
_FITTED = timedelta(seconds=fit.AROUND_S)
#: A window of fewer samples says nothing.
_LEAST = 3


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A window of a pool, judged."""

    warehouse: Warehouse
    node: str
    pool: Pool
    scene: Scene
    window: Episode
    found: list[Episode]  #: the scene's episodes
    full: Flags  #: samples in which the disks did not keep up
    quiet: Flags  #: samples that are normal
    model: Model
    answers: Usual  #: how long calls usually take
    costs: Costs  #: of `members`
    learned_s: int  #: of how much time what is normal was learnt
    kept: bool  #: whether by the model that the keeper made of that day's week
    judged: Judged
    members: tuple[str, ...]  #: whom `judged` is about: servers that may have used the disks
    whose: dict[str, str]  #: by server: member:ID, or server:NAME where nobody knows the member
    known: Inventory
    exports: Exports
    others: tuple[str, ...]  #: other pools, or components, of the node that did not keep up either
    notes: tuple[Note, ...]  #: what admins noted of the scene's time
    trouble: tuple[str, ...]  #: what could not be read

    @property
    def inside(self) -> Flags:
        """The window's samples that were read."""
        samples = np.zeros(len(self.scene), bool)
        samples[self.window.first : self.window.end] = True
        return samples & self.scene.present

    @property
    def guilty(self) -> set[str]:
        """The culprits' servers."""
        culprits = {each.name for each in self.judged.verdict.culprits if each.kind == "member"}
        return {name for name, who in self.whose.items() if who in culprits}

    @property
    def lo(self) -> int:
        """When the window begins (µs of UTC)."""
        return self.scene.moment(self.window.first) * 1_000_000

    @property
    def hi(self) -> int:
        """When it ends."""
        return self.scene.moment(self.window.end) * 1_000_000


def judged(
    warehouse: Warehouse, begin: datetime, end: datetime, pool: str | None = None, limits: Thresholds | None = None
) -> Case:
    """The window from `begin` to `end` of the pool that was worst then, or of a named one, judged.

    NasacctError when the store says too little of it.
    """
    known_from, known_to = extent(warehouse)
    begin, end = max(begin, known_from), min(end, known_to)
    if begin >= end:
        raise NasacctError(
            f"nothing was read of {warehouse.node} then; it was from {known_from:%Y-%m-%d %H:%M} to "
            f"{known_to:%Y-%m-%d %H:%M} UTC",
            UNAVAILABLE,
        )
    # of disks that stood still all the time, which they are was told before or after it
    around = max(begin - BEFORE, known_from), min(end + AFTER, known_to)
    pools = layout.layout(warehouse, us(begin), us(end)) or layout.layout(warehouse, *map(us, around))
    asked = components.meant([each.name for each in pools], pool)
    learnt = {each.name: _learnt(warehouse, each, end) for each in pools if each.name in asked}
    whole = all(each is not None for each in learnt.values())
    before, after = (2 * _FITTED, _FITTED) if whole else (BEFORE, AFTER)
    lo, hi = us(max(begin - before, known_from)), us(min(end + after, known_to))
    if pool is not None and not asked:
        names = ", ".join(each.name for each in pools) or "none"
        raise NasacctError(f"{warehouse.node} has no pool {pool}; it has: {names}", NO_INPUT)
    scenes = [(each, scene(warehouse, lo, hi, each)) for each in pools if each.name in asked]
    seen = [(each, one, _window(one, us(begin), us(end))) for each, one in scenes if one is not None]
    if not seen:
        raise NasacctError(f"no disk of {warehouse.node} was busy then, so nobody saturated one", UNAVAILABLE)
    limits = limits or Thresholds()
    bad = [_badness(where, window, limits) for _, where, window in seen]
    worst = max(range(len(seen)), key=lambda at: bad[at])
    others = tuple(one.name for at, (one, _, _) in enumerate(seen) if at != worst and bad[at][0] > 0)
    others += _beside(warehouse, [each for each in pools if each.name not in asked], *seen[worst], limits)
    return _case(warehouse, *seen[worst], others, limits, learnt[seen[worst][0].name])


def _learnt(warehouse: Warehouse, pool: Pool, end: datetime) -> Learnt | None:
    """The model that is kept for a window which ends then; None where there is none, or it cannot be read."""
    (tree,) = warehouse.trees()
    try:
        return models.at(tree, pool.name, end.timestamp())
    except (SegmentError, OSError) as error:
        log.warning("%s; what is normal is learnt from the time around the window", error)
        return None


def _case(
    warehouse: Warehouse,
    pool: Pool,
    where: Scene,
    window: Episode,
    others: tuple[str, ...],
    limits: Thresholds,
    learnt: Learnt | None,
) -> Case:
    inside = where.present[window.first : window.end].sum()
    if inside < _LEAST:
        raise NasacctError(
            f"of these {window.duration_s} s only {inside} samples of {STEP_S} s were read of pool {pool.name}; "
            f"name a window in which at least {_LEAST} were",
            UNAVAILABLE,
        )
    full = saturated(where, limits)
    found = episodes.found(full, where.present, limits)
    noted_then, trouble = _notes(warehouse, pool, where)
    set_apart = noted(where, noted_then)
    quiet = episodes.quiet([*found, window], where.present) & ~set_apart
    known = inventory.read(warehouse.root)
    owners, at = ByMember(known), where.moment(window.first) * 1_000_000
    whose = {}
    for name in where.members.names:
        member = owners.of(str(warehouse.node), name, at)
        whose[name] = f"member:{member}" if member else f"server:{name}"
    seen = reached(where)
    if learnt is not None:
        model, answers = learnt.model, learnt.answers
        learned_s = max(where.moment(window.first) - int(learnt.told["since"]), 0)
    else:
        model, answers = engine.learned(seen, [*found, window], set_apart), usual(where, quiet)
        learned_s = int(quiet.sum()) * STEP_S
    seen = engine.mattering(seen, window, model)
    return Case(
        warehouse=warehouse,
        node=str(warehouse.node),
        pool=pool,
        scene=where,
        window=window,
        found=found,
        full=full,
        quiet=quiet,
        model=model,
        answers=answers,
        costs=model.of(seen.members.names).costs,
        learned_s=learned_s,
        kept=learnt is not None,
        judged=engine.looked_at(seen, window, found, model, whose),
        members=seen.members.names,
        whose=whose,
        known=known,
        exports=Exports(known),
        others=others,
        notes=tuple(noted_then),
        trouble=trouble,
    )


def _notes(warehouse: Warehouse, pool: Pool, where: Scene) -> tuple[list[Note], tuple[str, ...]]:
    """What was noted of the scene's time; a file that cannot be read is told, and keeps nobody from an answer."""
    lo, hi = where.start * 1_000_000, where.moment(len(where)) * 1_000_000
    try:
        return notes.notes(warehouse.root, str(warehouse.node), lo, hi, pool.whole), ()
    except OSError as error:
        return [], (str(of_os(error, "reading the notes")),)
    except NasacctError as error:
        return [], (str(error),)


def _beside(
    warehouse: Warehouse, pools: Iterable[Pool], pool: Pool, where: Scene, window: Episode, limits: Thresholds
) -> tuple[str, ...]:
    """Of these, other disks of the same pool that did not keep up in the window."""
    found = []
    for each in pools:
        if each.whole == pool.whole:
            seen = facts.of_time(warehouse, each, where.start, where.moment(len(where)))
            if seen is not None and saturated(seen, limits)[window.first : window.end].any():
                found.append(each.name)
    return tuple(found)


def _window(where: Scene, lo: int, hi: int) -> Episode:
    """The samples that lie for the most part in the window, at least one."""
    step, start = STEP_S * 1_000_000, where.start * 1_000_000
    first, end = (round((at - start) / step) for at in (lo, hi))
    first = min(max(first, 0), len(where) - 1)
    return Episode(first, min(max(end, first + 1), len(where)))


def _badness(where: Scene, window: Episode, limits: Thresholds) -> tuple[float, bool, float]:
    """How much of the window the disks did not keep up, whether they hold data, and how busy they were."""
    inside = slice(window.first, window.end)
    busy = float(np.nan_to_num(where.disks.busy[:, inside]).max(axis=0).mean())
    return float(saturated(where, limits)[inside].mean()), where.component == DATA, busy
