"""Models of pools: what requests cost, learnt from some hours of the last week, and kept with the day it is of.

Whole hours are taken, spread over the week, as many as memory and time allow for so many servers; of hours that were
mostly calm, if there are any. Their scenes are put one behind the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from nasacct.errors import NasacctError
from nasacct.reports.attribution import engine, episodes
from nasacct.reports.attribution.costs import Costs
from nasacct.reports.attribution.device import CHANNELS, Device
from nasacct.reports.attribution.engine import Model
from nasacct.reports.attribution.episodes import Episode
from nasacct.reports.attribution.harm import Usual, usual
from nasacct.reports.attribution.joined import joined, single
from nasacct.reports.attribution.reach import reached
from nasacct.reports.attribution.requests import KINDS
from nasacct.reports.attribution.scene import STEP_S
from nasacct.reports.components import parted
from nasacct.reports.facts import DAY_S
from nasacct.reports.noted import noted
from nasacct.reports.scenes import scene
from nasacct.store import judged
from nasacct.store.judged import next_day
from nasacct.store.keep import give_back
from nasacct.store.notes import notes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from nasacct.reports.attribution.scene import Flags, Scene
    from nasacct.reports.episodes import Ledger
    from nasacct.store.judged import Judged
    from nasacct.store.tree import Tree

#: Of how many days hours are taken, and how many hours at least and at most.
DAYS, _HOURS = 7, (2, 48)
#: Samples of all servers together that are in memory at a time: six hours of a thousand.
_MOST = 2_160_000
_HOUR_S = 3600
_HOUR = _HOUR_S // STEP_S
#: Which way of learning this is: a model of another one says other things.
WAY = 1


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """A model, what is usual of servers' answers, and what else is said of it."""

    model: Model
    answers: Usual
    told: dict[str, Any]


def learnt(ledger: Ledger, pool: str, day: date) -> Learnt | None:
    """The model of a pool at the end of a UTC day, from usage; None where there is none. NasacctError."""
    there = ledger.layout(day).get(pool)
    if ledger.warehouse is None or there is None:
        return None
    hours, quiet = _hours(ledger, pool, day)
    if not hours:
        return None
    chosen = spread(hours, quiet, most_of(len(there.servers)))
    parts = []
    for hour in chosen:
        part = scene(ledger.warehouse, hour * 1_000_000, (hour + _HOUR_S) * 1_000_000, there)
        if part is not None:
            parts.append(single(part))
        # or it holds what all of them took together
        del part
        give_back()
    if not parts:
        return None
    whole, begins = joined(parts)
    seen = [(part.start, len(part), begin) for part, begin in zip(parts, begins, strict=True)]
    marked = _noted(ledger, parts, begins, len(whole))
    del parts
    give_back()
    found = _placed((each for n in range(DAYS, -1, -1) for each in ledger.of(pool, next_day(day, -n))), seen)
    told = {
        "way": WAY,
        "hours": chosen,
        "since": min(hours),
        "thresholds": ledger.limits.told(),
    }
    calm = episodes.quiet(found, whole.present) & ~marked
    answers = usual(whole, calm)
    whole = reached(whole)
    return Learnt(engine.learned(whole, found, marked), answers, told)


def most_of(servers: int) -> int:
    """How many hours of so many servers are looked at."""
    return int(np.clip(_MOST // (max(servers, 1) * _HOUR), *_HOURS))


def spread(hours: Sequence[int], quiet: Sequence[int], most: int) -> list[int]:
    """Of hours, with how many quiet samples each has, so many, evenly: half of them of the last day, if it has them.

    Those that are mostly quiet are taken first.
    """
    calm = [hour for hour, count in zip(hours, quiet, strict=True) if count >= _HOUR / 2]
    calm = calm if 2 * len(calm) >= min(most, len(hours)) else list(hours)
    last = [hour for hour in calm if hour > calm[-1] - DAY_S]
    before = calm[: len(calm) - len(last)]
    of_last = min(len(last), max(most - len(before), (most + 1) // 2))
    return [*_evenly(before, most - of_last), *_evenly(last, of_last)]


def _evenly(hours: Sequence[int], count: int) -> list[int]:
    if count >= len(hours):
        return list(hours)
    return [hours[(2 * n + 1) * len(hours) // (2 * count)] for n in range(count)]


def _hours(ledger: Ledger, pool: str, day: date) -> tuple[list[int], list[int]]:
    """The hours of the days up to this one of which anything is known, and how many of their samples are quiet."""
    hours, quiet = [], []
    for n in range(DAYS - 1, -1, -1):
        each = next_day(day, -n)
        facts = ledger.facts(pool, each)
        if facts is None:
            continue
        told = [*ledger.of(pool, next_day(each, -1)), *ledger.of(pool, each)]
        calm = episodes.quiet(_placed(told, [(facts.start, len(facts), 0)]), facts.present)
        for first in range(0, len(facts), _HOUR):
            if facts.present[first : first + _HOUR].any():
                hours.append(facts.moment(first))
                quiet.append(int(calm[first : first + _HOUR].sum()))
    return hours, quiet


def _placed(told: Iterable[dict[str, Any]], seen: Iterable[tuple[int, int, int]]) -> list[Episode]:
    """Episodes as samples of what was `seen`: from which Unix time on, how many samples, and which the first is."""
    spans = list(seen)
    found = []
    for each in told:
        for start, count, begin in spans:
            first, end = max((each["from"] - start) // STEP_S, 0), min((each["to"] - start) // STEP_S, count)
            if first < end:
                found.append(Episode(begin + first, begin + end))
    return sorted(found, key=lambda episode: episode.first)


def _noted(ledger: Ledger, parts: Sequence[Scene], begins: Sequence[int], count: int) -> Flags:
    """The samples in which something was noted."""
    marked = np.zeros(count, bool)
    for part, begin in zip(parts, begins, strict=True):
        lo, hi = part.start * 1_000_000, part.moment(len(part)) * 1_000_000
        try:
            told = notes(ledger.tree.root, ledger.tree.node, lo, hi, parted(part.pool)[0])
        except (NasacctError, OSError) as error:
            ledger.trouble.append(f"{error}; what was noted is not left out of what is normal")
            return marked
        marked[begin : begin + len(part)] = noted(part, told)
    return marked


def table(found: Learnt) -> pa.Table:
    """A model's rows, one a server: factors by channel, usual activity by kind, normal disk time, usual answer (ms)."""
    costs = found.model.costs
    columns: dict[str, Any] = {"server": pa.array(found.model.members, pa.string())}
    columns |= {f"factor_{name}": costs.factors[:, at] for at, name in enumerate(CHANNELS)}
    columns |= {f"usual_{name}": costs.usual[:, at] for at, name in enumerate(KINDS)}
    answers = found.answers.of(found.model.members)
    columns |= {"normal": costs.normal, "answer_ms": pa.array(answers, mask=~np.isfinite(answers))}
    return pa.table(columns)


def said(found: Learnt) -> dict[str, Any]:
    """What is said of all servers: the device's costs and what they cost on average."""
    device, costs = found.model.device, found.model.costs
    return found.told | {
        "device": {"costs": device.costs.tolist(), "capacity": device.capacity, "disks": device.disks},
        "channels": list(CHANNELS),
        "kinds": list(KINDS),
        **{name: getattr(costs, name).tolist() for name in ("kernel", "full", "shared", "background", "jitter")},
        "chronic": costs.chronic,
    }


def keep(tree: Tree, pool: str, day: date, found: Learnt) -> Judged:
    """Keep the model with the day at whose end it was learnt; its file. OSError."""
    return judged.write_table(tree, pool, "model", day, table(found), said(found))


def kept(file: Judged) -> Learnt:
    """A model of its file. SegmentError when it is damaged, NasacctError when it is newer, OSError."""
    rows, told = judged.read_table(file)

    def column(name: str) -> Any:
        return rows.column(name).to_numpy().astype(float)

    def columns(kind: str, names: Sequence[str]) -> Any:
        return np.stack([column(f"{kind}_{name}") for name in names], axis=1)

    device = Device(np.array(told["device"]["costs"]), told["device"]["capacity"], told["device"]["disks"])
    arrays = {name: np.array(told[name]) for name in ("kernel", "full", "shared", "background", "jitter")}
    costs = Costs(
        factors=columns("factor", CHANNELS),
        usual=columns("usual", KINDS),
        normal=column("normal"),
        chronic=told["chronic"],
        **arrays,
    )
    servers = tuple(map(str, rows.column("server").to_pylist()))
    return Learnt(Model(device, costs, servers), Usual(servers, column("answer_ms")), told)


def at(tree: Tree, pool: str, moment: float) -> Learnt | None:
    """The model by which a moment (Unix time) is judged: that of its day, else the newest before; None without any.

    SegmentError when it is damaged, NasacctError when it is newer, OSError.
    """
    day = judged.day_of(moment)
    found = [file for file in judged.listed(tree, pool) if file.kind == "model" and file.day <= day]
    return kept(max(found, key=lambda file: file.day)) if found else None
