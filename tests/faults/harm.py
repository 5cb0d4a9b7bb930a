"""What befalls the store's files: they rot, lie there twice, are kept and made anew."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from faults.files import epochs_in, frame_ends
from faults.stage import Stage

from nasacct.store import journal
from nasacct.store.check.repair import repair
from nasacct.store.check.whole import Report, of_tree
from nasacct.store.keep import Rules, keep
from nasacct.store.segment_file import read
from nasacct.store.segments import footer, named
from nasacct.store.shelf import shelf
from nasacct.store.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path

#: Times of the keeper: none of the days in a schedule is over, or all of them.
EARLY_S, LATE_S = 0.0, 4e9
#: The first file keeps its first frames, so that it is known what was counted from when.
SURELY = 2


class Harm(Stage):
    """A stage whose files come to harm."""

    def rotate(self) -> None:
        self.run.writer.rotate()

    def damage(self, which: int, where: int, frames: bool) -> None:
        """A bit flips in a journal file that was not kept yet: in its frames, or in its head."""
        path = self.unkept(which)
        if path is None:
            return
        data = bytearray(path.read_bytes())
        ends = frame_ends(data)
        if not ends:
            return
        surely = SURELY if journal.number_of(path) == 1 else 0
        low, high = (ends[min(surely, len(ends) - 1)], len(data)) if frames or surely else (0, ends[0])
        if low == high:
            return
        data[low + where % (high - low)] ^= 1 << where % 8
        path.write_bytes(data)
        self.lost(path, "bit flip in a frame" if frames or surely else "bit flip in a head")

    def wreck(self, which: int, cut: int) -> None:
        """A journal file that was not kept yet is no journal any more, or ends in its head."""
        path = self.unkept(which)
        if path is not None and journal.number_of(path) > 1:
            path.write_bytes(b"no journal" if cut % 2 else path.read_bytes()[: cut % 400])
            self.lost(path, "journal file wrecked")

    def unkept(self, which: int) -> Path | None:
        """One of the journal files that will not be written to any more and that no segment replaces."""
        self.trace()
        replaced = {name for relation in self.tree.relations() for name in shelf(relation.folder).replaced}
        files = journal.files(self.tree.journal)
        there = [p for p in files[:-1] if p.name not in replaced]
        return there[which % len(there)] if there else None

    def lost(self, path: Path, what: str) -> None:
        """What only this file told is left nowhere."""
        self.faults[what] += 1
        # a part that bridges the file before it, which was wrecked, holds what this one's head told
        known = self.traced.get(path.name, set()) & self.in_segments()
        self.traced[path.name] = known | (epochs_in(path) if path.exists() else set())
        self._sizes[path.name] = path.stat().st_size if path.exists() else 0

    def in_segments(self) -> set[str]:
        """The epochs of which there is any usage in segments."""
        found: set[str] = set()
        for relation in self.tree.relations():
            if relation.kind == "usage":
                for segment in shelf(relation.folder).visible:
                    found.update(read(segment.path, relation.schema, ["epoch"]).column("epoch").to_pylist())
        return found

    def copy_segment(self, which: int) -> None:
        """A segment lies there a second time, under another name."""
        found = sorted(self.tree.folder.glob("usage/*/*.parquet"))
        if found:
            path = found[which % len(found)]
            digest = f"{len(found) * 100 + which:016x}"
            shutil.copyfile(path, path.with_name(f"{path.stem.rpartition('-')[0]}-{digest}.parquet"))
            self.faults["segment copied under another name"] += 1

    def flip_segment(self, which: int, where: int) -> None:
        """A bit flips in a segment: a check tells of it, and repair makes it again of what it was made of."""
        self.trace()
        there = [path for path in sorted(self.tree.folder.rglob("*.parquet")) if self.can_be_made_again(path)]
        if not there:
            return
        path = there[which % len(there)]
        data = bytearray(path.read_bytes())
        data[where % len(data)] ^= 1 << where % 8
        path.write_bytes(data)
        self.faults[f"bit flip in {path.relative_to(self.tree.folder).parts[0]}"] += 1
        report = Report()
        of_tree(self.tree, report)
        assert any(found.path == path for found in report.findings), f"nobody noticed the flip in {path}"
        repair(self.tree, EARLY_S, Rules({"readings": 40, "usage": 400}, 1e12))

    def can_be_made_again(self, path: Path) -> bool:
        """Of usage there must be the readings, of sums the usage; readings themselves are evidence only."""
        segment, kind = named(path), path.relative_to(self.tree.folder).parts[0]
        if segment is None or kind not in ("usage", "rollup"):
            return kind == "readings"
        of = "readings" if kind == "usage" else "usage"
        kept = shelf(self.tree.folder / of / path.parent.name).journals
        return kept.covers(footer(segment).journals)

    def two_keepers(self, over: bool) -> None:
        """Two copies of the store are kept, each by its own keeper, and become one again."""
        self.trace()
        copy = self.root.with_name(f"{self.root.name}-copy")
        shutil.copytree(self.root, copy)
        rules = Rules({"readings": 40, "usage": 400}, 1e12)
        for tree in (self.tree, Tree(copy, self.host.node)):
            keep(tree, LATE_S if over else EARLY_S, rules)
        for path in copy.rglob("*.parquet"):
            mine = self.root / path.relative_to(copy)
            mine.parent.mkdir(parents=True, exist_ok=True)
            path.rename(mine)
        shutil.rmtree(copy)

    def keep(self, over: bool, drop: bool) -> None:
        """The keeper runs, before or after the days are over; readings are kept or dropped at once."""
        self.trace()
        rules = Rules({"readings": -100 if drop else 40, "usage": 400}, -1e12 if over else 1e12)
        assert keep(self.tree, LATE_S if over else EARLY_S, rules) == 0
