"""Judgements: what people who run a node say of verdicts on episodes, right or wrong.

    ROOT/judgements.jsonl

A chronicle (`chronicle.py`). What `is` says:

    {"episode": "tank-20261127-140500", "judgement": "confirmed",
     "judged": {"verdict": "members", "culprits": ["server:123"], "confidence": 0.93, "node": "nas1",
                "from": "2026-11-27T14:05:00Z"}}

`judged` is what was said of the episode when it was judged, null: nobody knows. Of two judgements of one episode the
later holds, and both are kept.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from nasacct.errors import USAGE, NasacctError
from nasacct.store.chronicle import Chronicle
from nasacct.times import iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nasacct.store.chronicle import Entry

Said = Literal["confirmed", "rejected"]
#: An episode's id, of which nothing else is known here.
_EPISODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+=@/-]{0,199}")


@dataclass(frozen=True, slots=True)
class Judged:
    """What was judged: the verdict's kind, whom it accuses, and how sure it is of that (0 to 1; None: of nobody).

    Culprits are servers (`server:123`), `local` or disks (`hardware:sdc`): whose a server was on the `node` when the
    episode began is for who asks.
    """

    verdict: str
    culprits: tuple[str, ...] = ()
    confidence: float | None = None
    node: str | None = None
    begin: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What somebody said of an episode's verdict; `text` are their words, None without any, or when they were erased.

    `holds`: nobody said otherwise later.
    """

    id: str
    episode: str
    judgement: Said
    text: str | None
    told: datetime
    by: str | None
    judged: Judged | None
    holds: bool = True


def read(root: Path) -> list[Judgement]:
    """All judgements of a store, in the order in which they were told.

    NasacctError when the file is damaged or of a newer version; OSError.
    """
    entries = sorted(CHRONICLE.read(root), key=lambda entry: entry.order)
    last = {entry.said["episode"]: entry.id for entry in entries}
    return [_made(entry, holds=last[entry.said["episode"]] == entry.id) for entry in entries]


def of(root: Path, episode: str) -> Judgement | None:
    """The judgement of an episode that holds; None without one. Errors as those of `read`."""
    return next((each for each in read(root) if each.episode == episode and each.holds), None)


def judge(
    root: Path,
    episode: str,
    judgement: Said,
    now: datetime,
    *,
    judged: Judged | None = None,
    text: str | None = None,
    by: str | None = None,
) -> Judgement:
    """Add a judgement. NasacctError when there can be no such episode, or as for `Chronicle.add`."""
    known(episode)
    said = {"episode": episode, "judgement": judgement, "judged": None if judged is None else _said(judged)}

    def same(entry: Entry) -> bool:
        return bool(entry.said["episode"] == episode)

    return _made(CHRONICLE.add(root, lambda _: said, now, text=text, by=by, after=same))


def erase(root: Path, episode: str, now: datetime) -> int:
    """Take away what was written of an episode's judgements, for ever; of how many. Errors as for `Chronicle.add`."""
    known(episode)
    return CHRONICLE.erase(root, lambda entry: entry.said["episode"] == episode, now)


def known(episode: str) -> None:
    """NasacctError when that can be no episode's id."""
    if not _EPISODE.fullmatch(episode):
        raise NasacctError(f"{episode!r} is no episode; `nasacct episodes` shows which there are", USAGE)


def _made(entry: Entry, *, holds: bool = True) -> Judgement:
    said, judged = entry.said, entry.said["judged"]
    what = None
    if judged is not None:
        begin = None if judged["from"] is None else datetime.fromisoformat(judged["from"]).astimezone(UTC)
        what = Judged(judged["verdict"], tuple(judged["culprits"]), judged["confidence"], judged["node"], begin)
    return Judgement(entry.id, said["episode"], said["judgement"], entry.text, entry.told, entry.by, what, holds)


def _said(judged: Judged) -> dict[str, Any]:
    return {
        "verdict": judged.verdict,
        "culprits": list(judged.culprits),
        "confidence": judged.confidence,
        "node": judged.node,
        "from": None if judged.begin is None else iso(judged.begin),
    }


def _check(said: Mapping[str, Any]) -> None:
    """ValueError, KeyError, TypeError, AttributeError when it says nothing of a judgement."""
    if not _EPISODE.fullmatch(said["episode"]) or said["judgement"] not in get_args(Said):
        raise ValueError("it judges nothing")
    if said["judged"] is None:
        return
    verdict, culprits, confidence = (said["judged"][name] for name in ("verdict", "culprits", "confidence"))
    if not (isinstance(culprits, list) and all(isinstance(each, str) for each in (verdict, *culprits))):
        raise ValueError("it judges no verdict")
    node, begin = (said["judged"][name] for name in ("node", "from"))
    if not (node is None or isinstance(node, str)) or (begin is not None and not datetime.fromisoformat(begin).tzinfo):
        raise ValueError("it is of no node, or of no time")
    if confidence is not None and not (math.isfinite(confidence) and 0 <= confidence <= 1):
        raise ValueError("it has a confidence that is none")


CHRONICLE = Chronicle("judgements", _check)
