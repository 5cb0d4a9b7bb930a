"""What a copy has and its source does not: what is deleted here, what is put aside, what stays.

- What a whole segment here replaces goes, once that one has been here for longer than a reader's query may last. So
  nothing goes whose rows are not here otherwise, whatever the source or the network does.
- What is older than everything that the source has of it was too old there, or the source was emptied, or is another
  disk now. It stays as long as this copy's own configuration says; rollups and cuts for ever.
- What is neither was lost by the source, as when it was set back to an older state, and what it counts anew would
  count twice. It goes to node=N/gone, where nobody reads it and nobody deletes it.
- As long as anything is in quarantine, here or there, nothing is taken for lost: it may be the only whole piece.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nasacct.store import journal, judged
from nasacct.store.compaction import DAY_S, rolled
from nasacct.store.copies import GONE
from nasacct.store.expiry import newest_day
from nasacct.store.segment_file import check
from nasacct.store.segments import SegmentError, named
from nasacct.store.shelf import shelf
from nasacct.store.sync import sync_folder

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date
    from pathlib import Path

    from nasacct.store.expiry import Rules
    from nasacct.store.journal_spans import Spans
    from nasacct.store.pulling.remote import StoreFile
    from nasacct.store.segments import Segment
    from nasacct.store.shelf import Shelf
    from nasacct.store.tree import Tree

log = logging.getLogger(__name__)


def settle(tree: Tree, here: Collection[StoreFile], there: Collection[StoreFile], now_s: float, rules: Rules) -> None:
    """Do this for one node; `here` must hold every segment that is `there`.

    `rules`: for how many days what is kept, for how long what was replaced. OSError.
    """
    mine = [f for f in here if f.node == tree.node]
    for file in mine:
        if file.kind == "quarantine" and file not in there and any(f.name == file.name and f in there for f in mine):
            # it was damaged here, and has come again
            (tree.root / file.path).unlink()
    departed = [f for f in mine if f.kind != "quarantine" and f not in there]
    if not departed:
        return
    begins: dict[str, int] = {}
    for file in there:
        segment = named(tree.root / file.path) if file.node == tree.node else None
        if segment is not None:
            begins[file.folder] = min(segment.since, begins.get(file.folder, segment.since))
    held = {tree.root / f.path for f in there}
    settling = _Settling(tree, {tree.root / f.path for f in departed}, held, now_s - rules.grace_s)
    ages = {r.folder: r for r in tree.relations()}
    for folder in sorted({f.folder for f in departed if f.kind not in {"journal", judged.FOLDER}}):
        relation = ages.get(tree.folder / folder)
        before, steps = 0.0, []
        if relation is not None:
            before = newest_day(tree) - rules.days_of(relation) * DAY_S
            # usage goes only when it is summed
            steps = [shelf(r.folder).journals for r in tree.rollups(relation.stream) if relation.kind == "usage"]
        settling.segments(tree.folder / folder, begins.get(folder), before, steps)
    settling.journals()
    settling.episodes(newest_day(tree) - rules.judged_days * DAY_S)
    if not any(f.kind == "quarantine" and f.node == tree.node for f in (*here, *there)):
        # what hides something else goes after it
        for path in reversed(settling.lost):
            _put_aside(tree, path)


@dataclass(slots=True)
class _Settling:
    """One node's files that are `gone` at the source, which has those `held`; replaced before `due_s` is due.

    `lost` grows: what the source lost, and after it what is hidden by that; `sound`: what has replaced others for long
    enough and was read whole.
    """

    tree: Tree
    gone: Collection[Path]
    held: Collection[Path]
    due_s: float
    lost: list[Path] = field(default_factory=list)
    sound: dict[Segment, bool] = field(default_factory=dict)

    def segments(self, where: Path, first: int | None, before: float, steps: list[Spans]) -> None:
        """Delete what is replaced, and what ends `before` and is in all of the `steps`; find what the source lost.

        `first`: when the first segment begins that the source has of this.
        """
        found = shelf(where)
        lost = [s for s in found.visible if s.path in self.gone and not _aged(s, first)]
        self.lost += [s.path for s in lost]
        due = [s for s in found.hidden if s.path in self.gone and self._due(found, s.name)]
        still = {p.name for p in (*journal.files(self.tree.journal), *(s.path for s in found.hidden))}
        for segment, said in found.visible.items():
            if segment.path in self.gone and _aged(segment, first) and segment.until < before:
                # what it replaces would be seen again
                seen_again = not still.isdisjoint(r.name for r in said.replaces)
                due += [segment] if all(rolled(said, steps)) and not seen_again else []
        for segment in due:
            segment.path.unlink()
        if due:
            sync_folder(where)
        hidden = [s for s in found.hidden if s.path in self.gone and s not in due]
        self.lost += [s.path for s in hidden if s.name in found.replaced and found.replaced[s.name][1] in lost]

    def episodes(self, before: float) -> None:
        """Delete what is kept of episodes `before`; find what the source lost, or judged anew."""
        first: dict[tuple[str, str], date] = {}
        for held in filter(None, map(judged.named, self.held)):
            key = held.path.parent.name, held.kind
            first[key] = min(held.day, first.get(key, held.day))
        for path in self.gone:
            file = judged.named(path) if path.parent.parent.name == judged.FOLDER else None
            if file is None:
                continue
            begins = first.get((path.parent.name, file.kind))
            if begins is not None and file.day >= begins:
                self.lost.append(path)
            elif judged.start_of(file.day) + DAY_S <= before:
                path.unlink()

    def journals(self) -> None:
        """Delete what is replaced in every relation that there is, find what the source lost."""
        gone = [p for p in journal.files(self.tree.journal) if p in self.gone]
        if not gone:
            return
        span = [journal.begun(p) * 1_000_000 for p in gone]
        # an older version at the source may know fewer streams
        known = {p.parent for p in self.held}
        folders = [r.folder for r in self.tree.relations() if r.folder.is_dir() or r.folder in known]
        shelves = [shelf(folder, min(span), max(span)) for folder in folders]
        for path in gone:
            if shelves and all(self._due(found, path.name) for found in shelves):
                path.unlink()
                gone = [p for p in gone if p != path]
        sync_folder(self.tree.journal)
        witnesses = {p: [found.replaced.get(p.name) for found in shelves] for p in gone}
        self.lost += [
            p for p, by in witnesses.items() if not by or any(e is None or e[1].path in self.lost for e in by)
        ]

    def _due(self, found: Shelf, name: str) -> bool:
        """Whether a sound segment that a reader sees has replaced the name for long enough."""
        entry = found.replaced.get(name)
        if entry is None or entry[1] not in found.visible or entry[1].path in self.lost:
            return False
        witness = entry[1]
        if witness not in self.sound:
            # its file's time is when it was let in
            old = witness.path.stat().st_mtime < self.due_s
            self.sound[witness] = old and self._sound(witness)
        return self.sound[witness]

    def _sound(self, witness: Segment) -> bool:
        """Read a segment whole; a damaged one is deleted if it can come again, else it goes to the quarantine."""
        try:
            check(witness)
        except SegmentError as error:
            if witness.path in self.held:
                log.error("%s; it is fetched again", error)
                witness.path.unlink()
            else:
                self.tree.put_aside(witness.path, error)
            return False
        return True


def _aged(segment: Segment, first: int | None) -> bool:
    return first is None or segment.until <= first


def _put_aside(tree: Tree, path: Path) -> None:
    aside = tree.folder / GONE
    aside.mkdir(mode=0o750, exist_ok=True)
    path.replace(aside / path.name)
    sync_folder(aside)
    sync_folder(path.parent)
    log.warning(
        "%s is not at the source any more, and nothing replaces it: it counts no more and is in %s", path, aside
    )
