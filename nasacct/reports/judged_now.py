"""What is said of an episode now, for who judges it; and of those that were judged before the keeper had."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

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
    from nasacct.store.judgements import Judgement

_NAMED = re.compile(r".+-(\d{4})(\d\d)(\d\d)-\d{6}")


def judged_now(root: Path, episode: str, limits: Thresholds, ring: Path | None) -> Judged | None:
    """What is kept of an episode; None when it was found but not judged yet, or nobody here can tell.

    NasacctError when there is none of that name, or a file is newer; OSError.
    """
    found = _kept(root, episode)
    if found is None and not _is_there(root, episode, limits, ring):
        raise unknown(episode)
    return found


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


def _is_there(root: Path, episode: str, limits: Thresholds, ring: Path | None) -> bool:
    """Whether usage shows such an episode, which nobody has judged; also where nobody can ask usage."""
    match = _NAMED.fullmatch(episode)
    try:
        begin = start_of(date(*map(int, match.groups()))) if match else None
    except ValueError:
        begin = None
    if begin is None:
        return False
    span = begin, start_of(next_day(datetime.fromtimestamp(begin, UTC).date()))
    known = ledgers(root, None, limits, ring, span)
    told = listed(known, span, None, None, every=True)
    return episode in {row["id"] for row in told} or any(each.warehouse is None and each.trouble for each in known)
