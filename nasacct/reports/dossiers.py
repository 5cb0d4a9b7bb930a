"""Dossiers: all that is said of a window that was judged, put together."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports import accused, advice, bottlenecks, evidence, usage, why
from nasacct.reports.attribution.harm import harm
from nasacct.reports.attribution.thresholds import Thresholds
from nasacct.reports.components import called, parted
from nasacct.reports.dossier import Dossier, Noted
from nasacct.reports.sureness import HISTORY_S
from nasacct.times import of_us
from nasacct.units import in_bytes_per_s, in_count, in_duration, in_percent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from nasacct.reports.dossier import Entity
    from nasacct.reports.why import Case
    from nasacct.store.warehouse import Warehouse

WEEKS = 4
#: A machine that was started so short a time before is not yet what it usually is.
_BOOT_S = 900
#: Of the time: where disks are busy for half of it, IOs wait as long as they take (M/M/1); where they are less busy,
#: and tasks stand still less, they keep up.
_HARD = 0.5
#: Of the window's samples: with fewer of them read it is said.
_READ = 0.8


def dossier(
    warehouse: Warehouse,
    begin: datetime,
    end: datetime,
    pool: str | None = None,
    episode: str | None = None,
    limits: Thresholds | None = None,
) -> Dossier:
    """What is said of a pool from `begin` to `end`, the worst one or a named one; NasacctError as `why.judged`."""
    case = why.judged(warehouse, begin, end, pool, limits)
    told = evidence.asked(case)
    entities = accused.entities(case, told)
    waited, network = bottlenecks.of_window(case, limits or Thresholds())
    # tasks that stood still while the disks were idle stood still for what else there was
    hard = _used_hard(case) and not (waited and _idle(case))
    if not hard:
        entities = tuple(replace(each, culprit=False) for each in entities)
    inside = int(case.inside.sum())
    return Dossier(
        node=case.node,
        pool=case.pool.whole,
        component=case.pool.component,
        components=case.pool.components,
        begin=of_us(case.lo),
        end=of_us(case.hi),
        episode=episode,
        saturated=float(case.full[case.inside].mean()),
        verdict=case.judged.verdict.verdict if hard else "unknown",
        confidence=_confidence(entities),
        harmful=harm(case.scene, case.window, case.guilty, case.answers).harmful,
        entities=entities,
        victims=evidence.suffered(case, told),
        states=evidence.states(case),
        changed=tuple(_changed(case, entities)),
        bottlenecks=waited,
        ruled_out=evidence.ruled_out(case, told, waited, network),
        without=advice.without(case, entities),
        hints=advice.hints(case, told, entities, waited),
        checks=advice.checks(case, entities, warehouse.root),
        notes=tuple(
            Noted(of_us(note.since), of_us(note.until), note.text, note.by)
            for note in case.notes
            if note.touches(case.node, case.lo, case.hi, case.pool.whole)
        ),
        caveats=tuple(_caveats(case, told, inside, hard=hard)),
        learned_s=case.learned_s,
        samples=inside,
        expected=case.window.end - case.window.first,
        trouble=(*told.trouble, *case.trouble),
    )


def _confidence(entities: Iterable[Entity]) -> float:
    """Of the surest culprit; where nobody is one, how sure it is that nobody is."""
    known = [each.confidence for each in entities]
    guilty = [each.confidence for each in entities if each.culprit]
    return max(guilty) if guilty else 1 - max(known, default=0.0)


def _changed(case: Case, entities: Iterable[Entity]) -> Iterable[str]:
    """What culprits moved, against the same hour of the last four weeks."""
    begin = of_us((case.lo + case.hi) // 2).replace(minute=0, second=0, microsecond=0)
    for each in entities:
        if not each.culprit or not each.servers:
            continue
        server = each.servers[0]
        was = []
        for week in range(1, WEEKS + 1):
            hour = begin - timedelta(weeks=week)
            table = usage.ask(case.warehouse, "server", hour, hour + timedelta(hours=1), server=server.server)
            sums = [
                [value for value in table.column(name).to_pylist() if value is not None]
                for name in ("read_bytes", "written_bytes", "calls")
            ]
            if sums[2]:
                was.append(((sum(sums[0]) + sum(sums[1])) / 3600, sum(sums[2]) / 3600))
        now = (server.calls_s["read_mb"] + server.calls_s["write_mb"]) * 1e6
        said = f"server {server.server}: {in_bytes_per_s(now)} in these minutes"
        if was:
            least, most = min(was), max(was)
            hours = f"{len(was)} of the last {WEEKS} weeks" if len(was) < WEEKS else f"the last {WEEKS} weeks"
            said += f"; at this hour of {hours} {in_bytes_per_s(least[0])} .. {in_bytes_per_s(most[0])}"
            said += f", with {in_count(min(w[1] for w in was))} .. {in_count(max(w[1] for w in was))} calls/s"
        else:
            said += f"; nothing is known of this hour of the last {WEEKS} weeks"
        yield said


def _busy(case: Case) -> float:
    """Which share of the window the disk was busy that was busiest in each sample."""
    return float(np.nan_to_num(case.scene.disks.busy[:, case.inside]).max(axis=0).mean())


def _idle(case: Case) -> bool:
    """Whether the disks kept up in every sample, and were less busy than where IOs wait as long as they take."""
    return not case.full[case.inside].any() and _busy(case) < _HARD


def _used_hard(case: Case) -> bool:
    """Whether the disks were so busy that somebody may have waited for them; else nobody can be at fault."""
    waited = case.scene.rotational and _busy(case) >= _HARD
    # tasks that stood still for other disks of the pool did not wait for these
    stood = case.scene.some[case.inside].mean() >= _HARD and not _beside(case)
    return bool(case.full[case.inside].any() or waited or stood)


def _beside(case: Case) -> bool:
    """Whether other disks of the pool did not keep up."""
    return any(parted(each)[0] == case.pool.whole for each in case.others)


def _caveats(case: Case, told: evidence.Told, inside: int, *, hard: bool) -> Iterable[str]:
    """What makes it less sure, each in a sentence."""
    pool = case.pool
    if not pool.known:
        disk = ", ".join(pool.disks)
        yield f"which disks make up which pool is not known, so all servers are taken to use the busiest one, {disk}"
    if pool.rotational is None:
        yield "whether the disks rotate is not known; they are taken to"
    if not hard:
        yield "the disks kept up all the time: this says who used them, and nobody is at fault"
    elif not case.full[case.inside].any():
        yield "in no sample of this window were the disks as busy as in an episode"
    if told.uptime_s is not None and told.uptime_s - (case.hi - case.lo) / 1e6 < _BOOT_S:
        yield f"the machine was started {in_duration(told.uptime_s)} before the end; its servers were still coming up"
    if case.learned_s < HISTORY_S:
        yield f"what is normal was learnt from {in_duration(case.learned_s)} only, so nobody is named surely"
    expected = case.window.end - case.window.first
    if inside < _READ * expected:
        yield f"only {in_percent(inside / expected)} of the window was read"
    if told.jobs is None:
        yield "nobody counted what the machine's own processes read and wrote (the source `local` is off)"
    if len(case.scene.disks.names) == 1:
        yield "there is one disk, so nobody can say whether it was slower than others of its kind"
    if case.model.costs.chronic:
        yield "the disks hardly ever kept up, so nothing is normal, and blame is simply share"
    for other in case.others:
        asked = "/".join(parted(other)) if parted(other)[0] == pool.whole else other
        either = " either" if case.full[case.inside].any() else ""
        yield f"{called(other)} did not keep up{either}; ask for them with --pool {asked}"
