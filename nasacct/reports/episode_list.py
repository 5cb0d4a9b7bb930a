"""The list of episodes of nodes and pools over some time, and what other thresholds would change in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasacct.errors import NO_INPUT, UNAVAILABLE, NasacctError
from nasacct.reports import bottlenecks, components
from nasacct.reports.attribution.facts import SCALES
from nasacct.reports.episodes import Ledger, compared, duration_s
from nasacct.store import judged
from nasacct.store.judged import day_of, next_day
from nasacct.store.tree import trees

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from pathlib import Path

    from nasacct.reports.attribution.thresholds import Thresholds

#: An episode may have begun so much before what is asked for.
_BEFORE_S = 2 * 86_400


def ledgers(root: Path, node: str | None, limits: Thresholds, ring: Path | None, span: tuple[int, int]) -> list[Ledger]:
    """Those of a store's nodes, or of one. NasacctError when there is none of that name."""
    every = [tree for tree in trees(root) if node in (None, tree.node)]
    if not every:
        raise NasacctError(f"{root} holds no node {node}; `nasacct usage --by node` lists them", NO_INPUT)
    found = [Ledger(tree, None, limits) for tree in every]
    for each in found:
        if _unjudged(each, span):
            _ask_usage(each, root, ring)
    return found


def listed(
    known: Sequence[Ledger], span: tuple[int, int], pool: str | None, others: Thresholds | None, *, every: bool
) -> list[dict[str, Any]]:
    """The episodes that touch a time (Unix), in order; of `others`, what would change by them.

    Without `every`, those that matter: neither minor nor withdrawn. NasacctError when nothing is known of the pool.
    """
    names = {name for each in known for name in each.pools()}
    if pool is not None and not components.meant(names, pool):
        raise NasacctError(f"there is no pool {pool}; there are: {', '.join(sorted(names)) or 'none'}", NO_INPUT)
    rows: list[dict[str, Any]] = []
    for each in known:
        for name in components.meant(each.pools(), pool):
            now = [one for day in _days(span) for one in each.of(name, day)]
            if others is not None:
                then = [one for day in _days(span) for one in each.by(name, day, others)]
                now = compared(now, [{"state": "what if"} | one for one in then])
            rows += [{"node": each.tree.node, "duration_s": duration_s(one)} | one for one in now]
        rows += [] if others is not None or not every else _withdrawn(each, pool)
    begin, end = span
    asked = [row for row in rows if row["from"] < end and row["to"] > begin and (every or _matters(row))]
    return sorted(asked, key=lambda row: (row["from"], row["node"], row["pool"]))


def beside(known: Sequence[Ledger], span: tuple[int, int], pool: str | None) -> list[dict[str, Any]]:
    """What members waited for beside disks and touches a time (Unix), in order: threads of a server, a full link.

    What was found of several pools, as a link is the whole node's, is told once.
    """
    begin, end = span
    rows: list[dict[str, Any]] = []
    for ledger in known:
        names = components.meant(ledger.pools(), pool)
        told = [one | {"pool": name} for name in names for day in _days(span) for one in _others(ledger, name, day)]
        for one in sorted(told, key=lambda each: (each["from"], each["kind"], each["name"], each["pool"])):
            same = next((row for row in rows if _goes_on(row, ledger.tree.node, one)), None)
            if same is not None:
                same["to"] = max(same["to"], one["to"])
            elif one["from"] < end and one["to"] > begin:
                rows.append({"node": ledger.tree.node} | one)
    for row in rows:
        row["duration_s"] = duration_s(row)
    return sorted(rows, key=lambda row: (row["from"], row["node"], row["kind"], row["name"]))


def _others(ledger: Ledger, pool: str, day: date) -> Iterable[dict[str, Any]]:
    """What is kept of a day beside episodes, else what usage tells."""
    told = ledger.kept(pool, day)
    state = "provisional" if told is None else "confirmed"
    found = bottlenecks.of_day(ledger, pool, day) if told is None else told.get("others", [])
    return [{"state": state} | one for one in found]


def _goes_on(row: dict[str, Any], node: str, one: dict[str, Any]) -> bool:
    same = (row["node"], row["kind"], row["name"]) == (node, one["kind"], one["name"])
    return same and one["from"] <= row["to"]


def _withdrawn(ledger: Ledger, pool: str | None) -> Iterable[dict[str, Any]]:
    """What was told as provisional and was none."""
    blank = dict.fromkeys((*SCALES, "present", "verdict", "harm")) | {"minor": True, "truncated": False, "causes": []}
    for name, told in judged.provisional(ledger.tree).items():
        for each in told["episodes"]:
            if each["state"] == "withdrawn" and components.meant([name], pool):
                yield blank | each | components.told(name) | {"node": ledger.tree.node, "duration_s": duration_s(each)}


def _matters(row: dict[str, Any]) -> bool:
    return not row["minor"] and row["state"] != "withdrawn"


def _days(span: tuple[int, int]) -> Iterable[date]:
    day, last = day_of(max(span[0] - _BEFORE_S, 0)), day_of(span[1])
    while day <= last:
        yield day
        day = next_day(day)


def _unjudged(ledger: Ledger, span: tuple[int, int]) -> bool:
    """Whether any day must be looked for in usage."""
    known = [set(ledger.days(pool, "episodes")) for pool in ledger.pools()]
    return not known or any(day not in days for days in known for day in _days(span))


def _ask_usage(ledger: Ledger, root: Path, ring: Path | None) -> None:
    """Let the ledger ask usage, if what that takes is installed."""
    from nasacct.store.warehouse import Warehouse  # noqa: PLC0415  what is judged needs no DuckDB

    try:
        ledger.warehouse = Warehouse(root, ledger.tree.node, ring=ring)
    except NasacctError as error:
        if error.status != UNAVAILABLE:
            raise
        ledger.trouble.append(f"days that are not judged are missing: {error.sentence}")
