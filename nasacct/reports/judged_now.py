"""What is said of an episode now, for who judges it; and of those that were judged before the keeper had."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from nasacct.errors import UNAVAILABLE, NasacctError
from nasacct.reports.episode_list import ledgers, listed
from nasacct.reports.episodes import by_id, unknown
from nasacct.store.judged import next_day, start_of
from nasacct.store.judgements import Judged
from nasacct.store.segments import SegmentError
from nasacct.store.tree import trees

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nasacct.reports.attribution.thresholds import Thresholds
    from nasacct.reports.dossier import Entity
    from nasacct.store.judgements import Judgement

_NAMED = re.compile(r".+-(\d{4})(\d\d)(\d\d)-\d{6}")


def judged_now(root: Path, episode: str, limits: Thresholds, ring: Path | None) -> Judged | None:
    """What the keeper says of an episode, or `why` if the keeper has not judged it; None: nobody here can tell.

    NasacctError when there is none of that name, or a file is newer; OSError.
    """
    found = _kept(root, episode)
    if found is not None:
        return found
    row, all_known = _found(root, episode, limits, ring)
    if row is None and all_known:
        raise unknown(episode)
    return None if row is None else _asked(root, row, limits, ring)


def with_what_was_judged(root: Path, judgements: Iterable[Judgement]) -> list[Judgement]:
    """The judgements; those of an episode that the keeper had not judged then, with what it says of it now.

    Errors as those of `judged_now`.
    """
    return [each if each.judged else replace(each, judged=_kept(root, each.episode)) for each in judgements]


def _kept(root: Path, episode: str) -> Judged | None:
    for tree in trees(root):
        try:
            told = by_id(tree, episode)
        except SegmentError:
            # a check tells of it
            continue
        if told is not None and told["verdict"]:
            return _said(tree.node, told, told["verdict"])
    return None


def _said(node: str, told: dict[str, Any], verdict: dict[str, Any]) -> Judged:
    culprits = [each for each in verdict.get("entities", ()) if each["culprit"]]
    return Judged(
        "withheld" if verdict.get("withheld") else str(verdict["verdict"]),
        tuple(_called(each) for each in culprits),
        max((float(each["confidence"]) for each in culprits), default=None),
        node,
        datetime.fromtimestamp(told["from"], UTC),
    )


def _called(entity: dict[str, Any]) -> str:
    """`server:123`, `local`, `hardware:sdc`."""
    kind, name = entity["kind"], entity["name"]
    if kind == "member":
        return str(name)
    return f"{kind}:{name}" if name else str(kind)


def _found(root: Path, episode: str, limits: Thresholds, ring: Path | None) -> tuple[dict[str, Any] | None, bool]:
    """An episode that usage shows, and whether all nodes' usage could be asked."""
    match = _NAMED.fullmatch(episode)
    try:
        day = date(*map(int, match.groups())) if match else None
    except ValueError:
        day = None
    if day is None:
        return None, True
    span = start_of(day), start_of(next_day(day))
    known = ledgers(root, None, limits, ring, span)
    told = (row for row in listed(known, span, None, None, every=True) if row["id"] == episode)
    return next(told, None), not any(each.warehouse is None and each.trouble for each in known)


def _asked(root: Path, row: dict[str, Any], limits: Thresholds, ring: Path | None) -> Judged | None:
    """What `why` says of it; None when that is nothing."""
    from nasacct.reports.dossiers import dossier  # noqa: PLC0415  what was judged needs no DuckDB
    from nasacct.store.warehouse import Warehouse  # noqa: PLC0415

    begin, end = (datetime.fromtimestamp(row[at], UTC) for at in ("from", "to"))
    name = f"{row['pool']}/{row['component']}"
    try:
        told = dossier(Warehouse(root, row["node"], ring=ring), begin, end, name, row["id"], limits)
    except NasacctError as error:
        if error.status != UNAVAILABLE:
            raise
        return None
    culprits = [each for each in told.entities if each.culprit]
    return Judged(
        told.verdict,
        tuple(name for each in culprits for name in _servers(each)),
        max((each.confidence for each in culprits), default=None),
        row["node"],
        begin,
    )


def _servers(entity: Entity) -> list[str]:
    """A member's or a server's servers; else what it is called."""
    if entity.servers:
        return [f"server:{each.server}" for each in entity.servers]
    return [f"hardware:{entity.name}" if entity.entity == "hardware" else entity.entity]
