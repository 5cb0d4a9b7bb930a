"""Judging: a UTC day's facts, the model of its week and the verdicts on its episodes, when nothing can change them.

A day is judged when usage reaches beyond what its episodes are looked at with, or when it is so long over that nothing
will come. What is asked of usage is the same whenever that is, so the same store gives the same files.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from nasacct.reports import bottlenecks, models, using
from nasacct.reports import episodes as kept
from nasacct.reports import facts as facts_of
from nasacct.reports.attribution import engine
from nasacct.reports.attribution.episodes import Episode
from nasacct.reports.attribution.facts import SCALES, Facts
from nasacct.reports.attribution.harm import BEFORE_S, Harm, harm
from nasacct.reports.attribution.reach import reached
from nasacct.reports.attribution.scene import STEP_S
from nasacct.reports.facts import DAY_S
from nasacct.reports.questions import question
from nasacct.reports.scenes import scene
from nasacct.reports.sureness import HISTORY_S, below_sure
from nasacct.store import judged
from nasacct.store.judged import day_of, next_day, start_of
from nasacct.times import of_us

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from nasacct.reports.attribution.engine import Judged
    from nasacct.reports.attribution.verdict import Entity
    from nasacct.reports.episodes import Ledger, OfDay
    from nasacct.reports.models import Learnt

log = logging.getLogger(__name__)

#: Usage may come so late that a day is not judged before, unless newer usage is there.
LATE_S = 6 * 3600
#: Of an episode that lasts for longer than that, the first hours are judged.
_LONGEST_S = 7200
#: After the node has booted, or while servers still appear, nothing is said of members for so long.
_SETTLED_S = 900
#: Servers still appear if there are so many more, and such a part more, than at first.
_MORE, _MORE_OF = 2, 0.1
#: What has less than this share, of disk time or blame, is not told.
_LEAST = 0.005
_DIGITS = 4


def missing(ledger: Ledger, now: float) -> list[tuple[str, date]]:
    """The pools and days that are over and were not judged, the newest first."""
    extent = ledger.extent()
    found: list[tuple[str, date]] = []
    if not extent:
        return found
    day, pools = min(extent[-1], next_day(day_of(now), -1)), ledger.pools()
    while day >= extent[0]:
        names = pools if any(ledger.file(pool, "episodes", day) is None for pool in pools) else []
        found += [(pool, day) for pool in names if ledger.file(pool, "episodes", day) is None]
        day = next_day(day, -1)
    return found


def judge(ledger: Ledger, pool: str, day: date, now: float) -> bool:
    """Keep a day's facts, model and episodes; False when it is too early for that.

    NasacctError when usage cannot be asked; OSError.
    """
    newest = 0.0 if ledger.warehouse is None else _newest(ledger)
    over = start_of(day) + DAY_S
    if not _known(over + 300, newest, now):
        return False
    if ledger.file(pool, "facts", day) is None:
        facts = ledger.facts(pool, day) or _nothing(day)
        there = ledger.layout(day).get(pool)
        told = facts_of.said(facts) | facts_of.devices(pool, there)
        judged.write_table(ledger.tree, pool, "facts", day, facts_of.table(facts), told)
        ledger.look()
    usual = partial(ledger.usual_facts, pool)
    found = kept.of_day(day, partial(ledger.facts, pool), ledger.limits, usual=usual)
    assert found is not None
    if not _known(min(found.until, over + DAY_S), newest, now):
        return False
    learnt = models.learnt(ledger, pool, day)
    if learnt is not None:
        models.keep(ledger.tree, pool, day, learnt)
    told = said(ledger, pool, found, learnt)
    there = ledger.layout(day).get(pool)
    if learnt is not None and there is not None and ledger.warehouse is not None:
        rows = using.of_day(ledger.warehouse, there, day, learnt.model, told["episodes"])
        judged.write_table(ledger.tree, pool, "used", day, rows, {})
    judged.write_text(ledger.tree, pool, "episodes", day, told)
    ledger.look()
    return True


def said(ledger: Ledger, pool: str, found: OfDay, learnt: Learnt | None) -> dict[str, Any]:
    """What is kept of a day's episodes: they, by what they were judged, and what made members wait beside the disks."""
    told = []
    for each in found.episodes:
        record = kept.record(pool, found.seen, each, ledger.limits)
        told.append(record | judged_of(ledger, pool, found, each, learnt))
    normal = [level if np.isfinite(level) else None for level in (found.normal.wait_ms, found.normal.queue)]
    others = list(bottlenecks.of_day(ledger, pool, found.day))
    return {"episodes": told, "thresholds": ledger.limits.told(), "normal": normal, "others": others}


def judged_of(ledger: Ledger, pool: str, found: OfDay, episode: Episode, learnt: Learnt | None) -> dict[str, Any]:
    """The verdict on an episode, its harm and its causes, by a model."""
    there = ledger.layout(found.day).get(pool)
    if learnt is None or there is None or ledger.warehouse is None:
        return {}
    begin, end = found.seen.moment(episode.first), found.seen.moment(episode.end)
    lo = begin - kept.AFTER_S - BEFORE_S
    last = min(end, begin + _LONGEST_S)
    seen = scene(ledger.warehouse, lo * 1_000_000, (last + kept.AFTER_S) * 1_000_000, there)
    if seen is None:
        return {}

    def moved(each: Episode) -> Episode:
        shift = (found.seen.start - seen.start) // STEP_S
        return Episode(max(each.first + shift, 0), min(each.end + shift, len(seen)), each.truncated)

    others = [each for each in map(moved, found.others) if each.first < each.end]
    mine = Episode(moved(episode).first, (last - seen.start) // STEP_S)
    around = [mine if each.first == mine.first else each for each in others]
    looked = engine.looked_at(reached(seen), mine, around, learnt.model)
    culprits = {each.name for each in looked.verdict.culprits if each.kind == "member"}
    hurt = harm(seen, mine, culprits, learnt.answers)
    history = begin - _first(ledger, pool, found.day)
    return {
        "verdict": _verdict(looked, history, _withheld(ledger, begin), last - begin),
        "harm": _harm(hurt),
        "causes": list(_causes(looked)),
    }


def _verdict(looked: Judged, history: int, withheld: str | None, of_s: int) -> dict[str, Any]:
    """The verdict as it is kept; nothing of members where it is withheld."""
    given = looked.verdict
    lowered = history < HISTORY_S
    entities = [
        _entity(each, lowered=lowered)
        for each in given.entities
        if (each.share >= _LEAST or each.blame >= _LEAST) and not (withheld and each.kind == "member")
    ]
    return {
        "verdict": "unknown" if withheld else given.verdict,
        "unexplained": round(given.unexplained, _DIGITS),
        "entities": entities,
        "history_s": history,
        "withheld": withheld,
        "judged_s": of_s,
    }


def _entity(each: Entity, *, lowered: bool) -> dict[str, Any]:
    numbers = {
        "share": each.share,
        "share_lo": each.low,
        "share_hi": each.high,
        "blame": each.blame,
        "blame_lo": each.blame_low,
        "blame_hi": each.blame_high,
        "confidence": below_sure(each.confidence) if lowered else each.confidence,
    }
    kind = "server" if each.kind == "member" else each.kind
    rounded = {name: round(number, _DIGITS) for name, number in numbers.items()}
    return {"kind": kind, "name": each.name, "culprit": each.culprit, **rounded}


def _harm(found: Harm) -> dict[str, Any]:
    def number(value: float | None) -> float | None:
        return None if value is None else round(value, _DIGITS)

    worst = sorted(found.hurt, key=lambda each: (-(each.answer_ms or 0) * each.calls, each.name))
    return {
        "harmful": found.harmful,
        "by": found.by,
        "hurt": len(found.hurt),
        "others": found.others,
        "servers": [
            {
                "server": each.name,
                "answer_ms": number(each.answer_ms),
                "usual_ms": number(each.usual_ms),
                "calls": number(each.calls),
                "calls_before": number(each.calls_before),
            }
            for each in worst
        ],
    }


def _causes(looked: Judged) -> Iterator[dict[str, Any]]:
    """What is nobody's guilt."""
    if looked.slow.disk is not None:
        share = round(looked.slow.share, _DIGITS)
        yield {"kind": "disk", "name": looked.slow.disk, "share": share, "what": f"disk {looked.slow.disk} is slow"}


def _withheld(ledger: Ledger, begin: int) -> str | None:
    """Why nothing is said of members of what began then; None: nothing speaks against it."""
    assert ledger.warehouse is not None
    lo, hi = (begin - _SETTLED_S) * 1_000_000, begin * 1_000_000
    found = ledger.warehouse.query(
        question("starting"), {"lo": lo, "hi": hi}, views=["node", "health"], since=of_us(lo), until=of_us(hi)
    )
    row = found.to_pylist()[0]
    if row["boot_us"] is not None and row["boot_us"] > lo:
        return f"the node had booted {max(hi - row['boot_us'], 0) // 60_000_000} min before"
    if row["first"] is not None and row["most"] >= max(row["first"] + _MORE, row["first"] * (1 + _MORE_OF)):
        return "servers were still appearing"
    return None


def _first(ledger: Ledger, pool: str, day: date) -> int:
    """The Unix time from which on anything is known of the week."""
    for n in range(models.DAYS - 1, -1, -1):
        facts = ledger.facts(pool, next_day(day, -n))
        if facts is not None and facts.present.any():
            return facts.moment(int(np.flatnonzero(facts.present)[0]))
    return start_of(day)


def _known(until: float, newest: float, now: float) -> bool:
    return newest >= until or now >= until + LATE_S


def _newest(ledger: Ledger) -> float:
    assert ledger.warehouse is not None
    found = ledger.warehouse.newest(facts_of.VIEWS)
    return 0.0 if found is None else found.timestamp()


def _nothing(day: date) -> Facts:
    """The facts of a day of which nothing is known."""
    count = DAY_S // STEP_S
    return Facts(start_of(day), True, np.zeros(count, bool), *(np.full(count, np.nan) for _ in SCALES))
