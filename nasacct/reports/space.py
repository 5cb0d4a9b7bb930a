"""Space: what each dataset holds, whose it is, and when it will be full.

A dataset is full when nothing is left to it: by its own quota or one above it, or because the pool is. So what is left
is what the trend is of (`trend.py`), by whole days of UTC. On a day on which a quota was changed that says nothing;
what was used more then stands for it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from nasacct.reports.exports import Exports
from nasacct.reports.questions import question
from nasacct.reports.trend import Days, until_nothing
from nasacct.reports.whose import called
from nasacct.store import inventory
from nasacct.store.journal_ring import RING
from nasacct.store.shown_dataset import above
from nasacct.store.warehouse import Warehouse
from nasacct.times import of_us, us

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from nasacct.store.inventory import Inventory

log = logging.getLogger(__name__)

VIEWS = ("space",)
#: What was not read for so long is no more, or its pool stands still.
GONE = timedelta(days=1)
#: Of so many days the trend is.
WINDOW = timedelta(days=90)
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """One dataset as it was read last; sizes in bytes, None: unknown, or no such quota.

    `dataset` is its guid, `export` the export that shows it. The member is that of the export, or of the dataset as
    somebody told, or of the nearest one above it of which either is known. `growth_bytes_per_day` is of the used ones,
    over the `days` that are known. `full_days` are those until nothing is left: half of the chances are before, nine in
    ten between `full_days_low` and `_high`; None: not within ten years, or, where nothing is foreseen, unknown.
    """

    node: str
    dataset: str
    name: str | None
    export: str | None
    member: str | None
    member_name: str | None
    at: datetime
    used_bytes: int | None
    referenced_bytes: int | None
    snapshots_bytes: int | None
    available_bytes: int | None
    quota_bytes: int | None
    refquota_bytes: int | None
    days: int
    growth_bytes_per_day: float | None
    is_foreseen: bool
    full_days_low: float | None
    full_days: float | None
    full_days_high: float | None


def space(root: Path, member: str | None = None, window: timedelta = WINDOW, ring: Path | None = RING) -> list[Space]:
    """Every dataset that is still read, or a member's, by node and name; the trend is of the last `window`.

    What cannot be read is told in the log. NasacctError when there is no store.
    """
    warehouse = Warehouse(root, ring=ring)
    newest = warehouse.newest(VIEWS)
    if newest is None:
        return []
    since = newest - GONE
    rows = warehouse.query(question("space"), {"lo": us(since)}, views=VIEWS, since=since).to_pylist()
    named, trouble = warehouse.datasets(), list(warehouse.trouble)
    until_us = us(newest) // _DAY_US * _DAY_US
    span = {"lo": (until_us - window // timedelta(microseconds=1)) // _DAY_US * _DAY_US, "hi": until_us}
    begin = of_us(span["lo"])
    days = warehouse.query(question("space_days"), span, views=["space_1d"], since=begin).to_pylist()
    for told in dict.fromkeys([*trouble, *warehouse.trouble]):
        log.warning("%s", told)
    whose = _Whose(inventory.read(root), us(newest), named)
    history = _History(days, whose.name)
    found = (_of(row, history, whose) for row in rows)
    ours = [one for one in found if member is None or one.member == member]
    return sorted(ours, key=lambda one: (one.node, one.name or "", one.dataset))


def left(days: list[dict[str, Any]], quotas: Sequence[object]) -> list[float]:
    """What was left on each of the days, as if the quotas of each had been those of the last one."""
    found = [days[-1]["available"]] if days else []
    for (later, now), (day, then) in pairwise(reversed([*zip(days, quotas, strict=True)])):
        took = day["available"] - later["available"] if now == then else later["used"] - day["used"]
        found.append(found[-1] + took)
    return found[::-1]


class _History:
    """What was on days, of each dataset."""

    def __init__(self, rows: list[dict[str, Any]], called: Callable[[str, str], str | None]) -> None:
        self._days = {key: list(each) for key, each in groupby(rows, lambda row: (row["node"], row["dataset"]))}
        self._called = called
        named = {(key[0], called(*key)): days for key, days in self._days.items()}
        self._quotas = {key: {d["day"]: (d["quota"], d["refquota"]) for d in days} for key, days in named.items()}

    def of(self, node: str, dataset: str) -> tuple[list[dict[str, Any]], list[object]]:
        """The days of a dataset, and all quotas of each, those of the datasets above it, too."""
        days, name = self._days.get((node, dataset), []), self._called(node, dataset) or ""
        every = [self._quotas[node, each] for each in (name, *above(name)) if (node, each) in self._quotas]
        return days, [tuple(quotas.get(day["day"]) for quotas in every) for day in days]


def _of(row: dict[str, Any], history: _History, whose: _Whose) -> Space:
    days, quotas = history.of(row["node"], row["dataset"])
    numbers = [day["day"] for day in days]
    foreseen = None
    if row["available_bytes"] is not None:
        foreseen = until_nothing(numbers, left(days, quotas), row["available_bytes"])
    low, likely, high = foreseen or Days(None, None, None)
    grown = None if len(days) < 2 else (days[-1]["used"] - days[0]["used"]) / (numbers[-1] - numbers[0])
    sizes = {
        name: row[f"{name}_bytes"] for name in ("used", "referenced", "snapshots", "available", "quota", "refquota")
    }
    return Space(
        node=row["node"],
        dataset=row["dataset"],
        **whose.of(row["node"], row["dataset"]),
        at=of_us(row["at_us"]),
        **{f"{name}_bytes": size for name, size in sizes.items()},
        days=len(days),
        growth_bytes_per_day=grown,
        is_foreseen=foreseen is not None,
        full_days_low=low,
        full_days=likely,
        full_days_high=high,
    )


class _Whose:
    """Whose datasets are at a moment (µs of UTC); `named` is what the journal's tail calls them, by node and guid."""

    def __init__(self, known: Inventory, moment: int, named: Mapping[str, Mapping[str, str]]) -> None:
        self._known, self._moment, self._named, self._exports = known, moment, named, Exports(known)
        self._shown: dict[tuple[str, str], str] = {}
        self._pools: set[tuple[str, str]] = set()
        for name, intervals in known.things("server").items():
            node, _, server = name.partition("/")
            for interval in intervals:
                said = interval.properties
                if interval.since <= moment < interval.until and {"pool", "dataset"} <= said.keys():
                    self._shown[node, f"{said['pool']}/{said['dataset']}"] = server
                    self._pools.add((node, said["pool"]))
        told = (i.properties for all_ in known.things("dataset").values() for i in all_ if i.since <= moment < i.until)
        self._members = {said["name"]: said["member"] for said in told if {"name", "member"} <= said.keys()}

    def name(self, node: str, dataset: str) -> str | None:
        """What the dataset of that guid is called."""
        known = self._known.at("dataset", f"{node}/{dataset}", self._moment) or {}
        return self._named.get(node, {}).get(dataset) or known.get("name")

    def of(self, node: str, dataset: str) -> dict[str, Any]:
        """What the dataset of that guid is called, which export shows it, and whose it is."""
        name, member = self.name(node, dataset), None
        for place in () if name is None else (name, *above(name)):
            server = self._shown.get((node, place))
            member = self._exports.member(node, server, self._moment) if server is not None else self._told(node, place)
            if member:
                break
        server = self._shown.get((node, name or ""))
        shown = self._exports.at(node, server, self._moment) if server is not None else None
        return {
            "name": name,
            "export": shown.export if shown else None,
            "member": member or None,
            "member_name": called(self._known, "member", member or None, self._moment),
        }

    def _told(self, node: str, place: str) -> str | None:
        """Whose the dataset of that name is by what somebody told, who calls it as it is called below the pool."""
        pools = (pool for of, pool in self._pools if of == node and place.startswith(f"{pool}/"))
        members = (self._members.get(place.removeprefix(f"{pool}/")) for pool in pools)
        member = next(filter(None, members), None)
        return self._known.member(member, self._moment) if member else None
