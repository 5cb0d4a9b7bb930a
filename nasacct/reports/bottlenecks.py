"""Bottlenecks: what members waited for that is no disk, threads of servers that were all busy, and full uplinks.

Disks of which nothing was read while calls were sampled stood still: what does not change has no rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nasacct.reports import components
from nasacct.reports.attribution import causes
from nasacct.reports.attribution.scene import DATA, STEP_S
from nasacct.reports.dossier import Bottleneck, RuledOut
from nasacct.reports.facts import DAY_S
from nasacct.reports.grid import Grid
from nasacct.reports.layout import BACK
from nasacct.reports.questions import question
from nasacct.reports.scenes import Rows
from nasacct.store.judged import start_of
from nasacct.store.warehouse import Question
from nasacct.times import of_us
from nasacct.units import in_bits_per_s, in_percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    import pyarrow as pa

    from nasacct.reports.attribution.scene import Flags, Floats
    from nasacct.reports.attribution.thresholds import Thresholds
    from nasacct.reports.episodes import Ledger
    from nasacct.reports.why import Case
    from nasacct.store.warehouse import Warehouse

_MBIT = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Threads:
    """Of servers whose threads were ever all busy, in which share of each sample they were (servers x samples)."""

    servers: tuple[str, ...]
    full: Floats  #: NaN: nobody knows
    read: Flags

    def short(self, busy: Floats) -> Flags:
        """In which samples there were too few of them while the disks were idle (`busy`: the busiest one's share)."""
        return causes.short(self.full, np.where(self.read & np.isnan(busy), 0.0, busy))


@dataclass(frozen=True, slots=True, eq=False)
class Uplinks:
    """What went over the node's own links, and what they can carry each way: bits a second (links x samples)."""

    links: tuple[str, ...]
    received: Floats
    sent: Floats
    carry: Floats  #: NaN: nobody knows
    read: Flags

    @property
    def bits(self) -> Floats:
        """Of the direction with more."""
        return np.maximum(self.received, self.sent)

    @property
    def full(self) -> Flags:
        """In which samples they carried all that they can."""
        return causes.filled(self.bits, self.carry)

    def carried(self, at: int, samples: Flags) -> dict[str, Any]:
        """What one of them carried in these samples on average, the way on which it was more, and what it can."""
        rates = {"received": self.received, "sent": self.sent}
        ways = {way: float(each[at, samples].mean()) for way, each in rates.items()}
        way = max(ways, key=lambda each: ways[each])
        return {"way": way, "carried_bits_s": round(ways[way]), "speed_bits_s": round(self.carry[at, samples].mean())}


def of_time(warehouse: Warehouse, lo: int, hi: int) -> tuple[Threads, Uplinks]:
    """What usage tells of a node from `lo` to `hi` (µs of UTC), on a grid. NasacctError."""
    grid, span = Grid(lo, hi), {"lo": lo, "hi": hi}
    back: dict[str, Any] = span | {"back": BACK.total_seconds() * 1e6}
    inflight, carried, speeds = warehouse.answers(
        [
            Question(question("exhausted"), span, ("inflight",), of_rows=True),
            Question(question("uplinks"), span, ("links", "speeds"), of_rows=True),
            Question(question("speeds"), back, ("speeds",), of_rows=True),
        ],
        of_us(lo) - BACK,
        of_us(hi),
    )
    return _threads(inflight, grid), _uplinks(carried, speeds, grid)


def of_day(ledger: Ledger, pool: str, day: date) -> Iterator[dict[str, Any]]:
    """Of a UTC day of a pool, when there were any for minutes, each with `from`, `to` and a sentence (`what`)."""
    facts, there = ledger.facts(pool, day), ledger.layout(day).get(pool)
    if ledger.warehouse is None or facts is None or there is None or there.component != DATA:
        return
    begin = start_of(day)
    threads, uplinks = of_time(ledger.warehouse, begin * 1_000_000, (begin + DAY_S) * 1_000_000)
    mine, every = (
        np.fmax.reduce([each.busy for name in names if (each := ledger.facts(name, day)) is not None])
        for names in ({pool, *components.meant(ledger.layout(day), pool)}, ledger.layout(day))
    )
    # where one has its exports nobody knows, it may have waited for any disk
    placed = [there.known and name not in there.unplaced for name in threads.servers]
    busy = np.array([mine if each else every for each in placed]).reshape(threads.full.shape)
    for spell in causes.spells(threads.servers, threads.short(busy), threads.read, ledger.limits):
        if not there.known or spell.name in there.servers:
            at = {"from": facts.moment(spell.first), "to": facts.moment(spell.end)}
            yield {"kind": "threads", "name": spell.name, **at, "what": f"all threads of server {spell.name} were busy"}
    for spell in causes.spells(uplinks.links, uplinks.full, uplinks.read, ledger.limits):
        at = {"from": facts.moment(spell.first), "to": facts.moment(spell.end)}
        index, samples = uplinks.links.index(spell.name), np.zeros(uplinks.read.shape[1], bool)
        samples[spell.first : spell.end] = uplinks.full[index, spell.first : spell.end]
        told = uplinks.carried(index, samples)
        yield {"kind": "link", "name": spell.name, **at, "what": said(spell.name, told), **told}


def of_window(case: Case, limits: Thresholds) -> tuple[tuple[Bottleneck, ...], RuledOut | None]:
    """Those of a window, in as many samples as an episode begins with, and what rules the network out."""
    threads, uplinks = of_time(case.warehouse, case.lo, case.hi)
    inside = case.inside[case.window.first : case.window.end]
    busy = np.nan_to_num(case.scene.disks.busy).max(axis=0)
    if case.scene.beside is not None:
        busy = np.fmax(busy, case.scene.beside)
    found = []
    for name, so in zip(threads.servers, threads.short(busy[case.window.first : case.window.end]), strict=True):
        # of whose exports nobody knows where they lie, it may have waited for the disks of another pool
        elsewhere = case.others and name in case.pool.unplaced
        mine = not case.pool.known or name in case.pool.servers
        if mine and not elsewhere and (so & inside).sum() >= limits.enter:
            found.append(Bottleneck("threads", name, float(so[inside].mean())))
    for at, name in enumerate(uplinks.links):
        samples = uplinks.full[at] & inside
        if samples.sum() >= limits.enter:
            found.append(Bottleneck("link", name, float(samples[inside].mean()), **uplinks.carried(at, samples)))
    spared = None if any(each.kind == "link" for each in found) or not inside.any() else _spared(uplinks, inside)
    return tuple(found), spared


def _spared(uplinks: Uplinks, inside: Flags) -> RuledOut | None:
    """That the network had room, by the link that had least; None where nobody knows what any can carry."""
    most = {
        name: (float(bits[inside].max() / carry[inside].min()), float(carry[inside].min()))
        for name, bits, carry in zip(uplinks.links, uplinks.bits, uplinks.carry, strict=True)
        if np.isfinite(carry[inside]).all()
    }
    if not most:
        return None
    link = max(most, key=lambda name: most[name])
    part, carry = most[link]
    if part >= causes.CARRIED:
        return None
    return RuledOut("the network", f"{link} carried at most {in_percent(part)} of {in_bits_per_s(carry)}")


def said(link: str, told: Mapping[str, Any]) -> str:
    """What a link carried, as a sentence without an end."""
    return f"link {link} carried {in_bits_per_s(told['carried_bits_s'])} of {in_bits_per_s(told['speed_bits_s'])}"


def _threads(inflight: pa.Table, grid: Grid) -> Threads:
    if not inflight.num_rows or not len(grid):
        return Threads((), np.zeros((0, len(grid))), np.zeros((0, len(grid)), bool))
    rows = Rows(inflight, ["server"], grid)
    full, sampled = rows.growth("full_us"), rows.growth("sampled_us")
    share = np.divide(full, sampled, out=np.full(full.shape, np.nan), where=sampled > 0)
    return Threads(tuple(str(key[0]) for key in rows.keys), share, rows.covered() & (sampled > 0))


def _uplinks(carried: pa.Table, speeds: pa.Table, grid: Grid) -> Uplinks:
    if not carried.num_rows or not len(grid):
        none = np.zeros((0, len(grid)))
        return Uplinks((), none, none, none, np.zeros((0, len(grid)), bool))
    rows = Rows(carried, ["link"], grid)
    names = tuple(str(key[0]) for key in rows.keys)
    received, sent = (rows.growth(f"{way}_bytes") * 8 / STEP_S for way in ("received", "sent"))
    told: dict[str, list[tuple[int, float]]] = {name: [] for name in names}
    for row in speeds.to_pylist():
        told.get(row["link"], []).append((row["t1_us"], row["mbit_s"] * _MBIT if row["mbit_s"] else np.nan))
    carry = np.array([_in_force(told[name], grid) for name in names])
    return Uplinks(names, received, sent, carry, rows.covered())


def _in_force(told: list[tuple[int, float]], grid: Grid) -> Floats:
    """What was said last before each sample, or first after it."""
    if not told:
        return np.full(len(grid), np.nan)
    moments, values = (np.array(each) for each in zip(*told, strict=True))
    found: Floats = values[np.searchsorted(moments, grid.edges[:-1], side="right").clip(1) - 1]
    return found
