"""Expiry: what is deleted, and when.

Three reasons, each with its own condition:

- replaced: a sound, visible segment lists the file, and has done so for longer than any reader's query may last;
- old: longer ago than configured, counted back from the node's newest whole day, so that neither a store that stands
  still nor a replayed recording is emptied by the clock. A segment goes only after everything it replaces, or that
  would be seen again; usage only when it is in the rollups of every step; readings only of sealed months, or when they
  are so old that nobody will seal them any more;
- left over: a temporary file of a keeper that was killed.

The newest journal file always stays: the next run of the collector begins with it. So does the one before a file that
was not kept yet: should that one rot, it is bridged from there.
"""

from __future__ import annotations

import logging
import math
import zlib
from dataclasses import dataclass, field
from itertools import chain, takewhile
from typing import TYPE_CHECKING

from nasacct.store import journal, judged
from nasacct.store.compaction import DAY_S, rolled
from nasacct.store.cuts import keep_around
from nasacct.store.heads import expire_heads
from nasacct.store.segment_file import digest_of
from nasacct.store.segments import JOURNAL, named
from nasacct.store.shelf import Shelf, shelf
from nasacct.store.sync import sync_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nasacct.store.tree import Relation, Tree

log = logging.getLogger(__name__)

#: Every segment is read again, to find damage, once in so many days.
ROTATION_DAYS = 30
#: How long files stay after they were replaced: longer than any reader's query.
GRACE_S = 900.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How long what is kept: `days` by kind (readings, usage), `streams` for the usage of single ones.

    Readings that end after `sealed` (all before is sealed; seconds of UTC) stay until they are `most` days old.
    `grace_s` is how long what was replaced stays. `cuts` are the moments (µs of UTC) whose usage stays for ever.
    `addresses_days` is how long the addresses of clients stay that were not seen since, `judged_days` what is kept of
    episodes.
    """

    days: Mapping[str, int]
    grace_s: float = GRACE_S
    streams: Mapping[str, int] = field(default_factory=dict)
    sealed: float = math.inf
    most: int = 100
    cuts: tuple[int, ...] = ()
    addresses_days: int = 36_500
    judged_days: int = 36_500

    def days_of(self, relation: Relation) -> int:
        """How many days a relation's segments are kept."""
        days = self.days[relation.kind]
        return self.streams.get(relation.stream.name, days) if relation.kind == "usage" else days


def folders(tree: Tree) -> list[Path]:
    """Every folder of segments that there is in the tree."""
    return sorted({p for kind in ("usage", "readings", "cuts") for p in tree.folder.glob(f"{kind}/*/")}) + sorted(
        tree.folder.glob("rollup/*/*/")
    )


def clean(tree: Tree) -> None:
    """Remove temporary files; only for the holder of the keeper's lock."""
    for where in folders(tree):
        for path in where.glob(".*.parquet.tmp"):
            path.unlink()
    temporary = (f".*{kind}.tmp" for kind in (".head", JOURNAL))
    for path in (*tree.folder.glob(".*.tmp"), *chain.from_iterable(map(tree.journal.glob, temporary))):
        path.unlink()
    judged.clean(tree)


def expire_replaced(tree: Tree, now_s: float, grace_s: float) -> int:
    """Delete journal files and segments that have been replaced for longer than `grace_s`; gives back how many."""
    gone = 0
    for where in folders(tree):
        found = shelf(where)
        due = [s for s in found.hidden if _replaced_for(found, s.name, now_s) > grace_s]
        sound = {found.replaced[s.name][1] for s in due}
        if not all(tree.sound(s) for s in sound):
            continue
        for segment in due:
            segment.path.unlink()
        if due:
            sync_folder(where)
        gone += len(due)
    gone += _expire_journal(tree, now_s, grace_s)
    expire_heads(tree.journal)
    return gone


def _replaced_for(found: Shelf, name: str, now_s: float) -> float:
    """For how many seconds a visible segment has been there that lists the name; -inf without one."""
    entry = found.replaced.get(name)
    return now_s - entry[1].path.stat().st_mtime if entry and entry[1] in found.visible else -math.inf


def _expire_journal(tree: Tree, now_s: float, grace_s: float) -> int:
    paths = journal.files(tree.journal)[:-1]
    if not paths:
        return 0
    starts = [journal.begun(p) * 1_000_000 for p in paths]
    shelves = [shelf(r.folder, min(starts), max(starts)) for r in tree.relations()]

    def kept(path: Path) -> bool:
        return all(_replaced_for(found, path.name, now_s) > grace_s for found in shelves)

    # the oldest first, and all but the last before one that stays: should that one rot, it is bridged from there
    due = list(takewhile(kept, paths))[:-1]
    witnesses = {found.replaced[p.name][1] for p in due for found in shelves}
    if not due or not all(tree.sound(s) for s in witnesses):
        return 0
    for path in due:
        listed = {found.replaced[path.name][0].digest for found in shelves}
        if listed != {digest_of(path)}:
            log.error("%s is not what segments were made of and is kept; look at it, then move it away", path)
        else:
            path.unlink()
    sync_folder(tree.journal)
    return len(due)


def expire_old(tree: Tree, newest_s: float, rules: Rules) -> int:
    """Delete what ends longer than its days before `newest_s`; gives back how many files."""
    gone = judged.expire(tree, judged.day_of(max(newest_s - rules.judged_days * DAY_S, 0)))
    still = {p.name for p in journal.files(tree.journal)}
    unsealed = 0
    for relation in tree.relations():
        found = shelf(relation.folder)
        there = still | {s.name for s in (*found.visible, *found.hidden)}
        old = [s for s in found.visible if s.until < newest_s - rules.days_of(relation) * DAY_S]
        steps = (
            [shelf(r.folder).journals for r in tree.rollups(relation.stream)]
            if old and relation.kind == "usage"
            else []
        )
        before, left = gone, dict(found.visible)
        for segment in old:
            said = found.visible[segment]
            if any(item.name in there for item in said.replaces) or not all(rolled(said, steps)):
                continue
            if relation.kind == "readings" and segment.until > rules.sealed:
                if segment.until >= newest_s - rules.most * DAY_S:
                    continue
                unsealed += 1
            if relation.kind == "usage":
                keep_around(tree, relation.stream, segment, left, rules.cuts)
            segment.path.unlink()
            del left[segment]
            gone += 1
        if gone > before:
            sync_folder(relation.folder)
    if unsealed:
        log.warning(
            "%d segments of readings of months that were never sealed are deleted: they are %d days old, the most that "
            "readings are kept; seal each month",
            unsealed,
            rules.most,
        )
    return gone


def newest_day(tree: Tree) -> float:
    """When the newest whole day ends that the node has usage of, in seconds of UTC; 0 without any.

    A whole day, because a clock that was wrong for an hour after a boot must not make everything old.
    """
    found = (named(p) for p in tree.folder.glob("usage/*/day-*.parquet"))
    return max((float(s.until) for s in found if s), default=0.0)


def rotate(tree: Tree, today: int) -> int:
    """Read today's share of all segments for damage (`today`: days since 1970); gives back how many were damaged.

    Damaged ones go to the quarantine; what they replaced and is still there is seen again.
    """
    damaged = 0
    for where in folders(tree):
        for segment in shelf(where).visible:
            if zlib.crc32(segment.name.encode()) % ROTATION_DAYS == today % ROTATION_DAYS:
                damaged += not tree.sound(segment)
    return damaged
