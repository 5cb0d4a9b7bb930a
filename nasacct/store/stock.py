"""The stock: what a store holds at this moment, by its folders, its segments' names and footers, and its journals.

It opens no segment's rows. The warehouse, which answers questions, is built on it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from nasacct.errors import NO_INPUT, NasacctError, not_now, of_os
from nasacct.store import journal
from nasacct.store import root as store_root
from nasacct.store.compaction import DAY_S, day_of
from nasacct.store.cuts import around
from nasacct.store.journal_ring import RING, mirrored
from nasacct.store.journal_spans import Spans
from nasacct.store.segments import SegmentError, footer, listed
from nasacct.store.shelf import Shelf, reaches, shelf
from nasacct.store.tail import Tail
from nasacct.store.tree import Tree, trees
from nasacct.store.views import EVER, Piece, Seen, View

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from nasacct.store.segments import Kind, Segment

#: µs of UTC after everything that a segment's name can say.
_NEVER = 1 << 62
_SINCE = attrgetter("since")


class Stock:
    """What the store at `root` holds, or one `node` of it. May be asked by several threads; meant to live long.

    What a collector on this machine mirrors below `ring`, because its disk does not take it, is of it.
    Raises NasacctError when there is no store, or none of that node.
    """

    def __init__(self, root: Path, node: str | None = None, ring: Path | None = RING) -> None:
        self.root, self.node, self.ring = store_root.existing(root).absolute(), node, ring
        self._tails: dict[Tree, Tail] = {}
        self._damaged: dict[Path, str] = {}
        self._lock = threading.Lock()
        self.trees()

    def trees(self) -> list[Tree]:
        """The trees of the nodes that are looked at."""
        try:
            found = trees(self.root)
        except OSError as error:
            raise of_os(error, f"reading the store {self.root}") from None
        if self.node is None:
            return found
        mine = [tree for tree in found if tree.node == self.node]
        if not mine:
            names = ", ".join(tree.node for tree in found) or "none"
            raise NasacctError(f"{self.root} holds no node {self.node}; it holds: {names}", NO_INPUT)
        return mine

    def newest(self, streams: Sequence[str]) -> datetime | None:
        """Up to when there is usage of any of these streams; None when there is none."""
        tables = self._newer(streams)
        if tables:
            latest: datetime = max(pc.max(table.column("t1")).as_py() for table in tables)
            return latest
        until = max((s.until for s in self._usage(streams)), default=None)
        return None if until is None else datetime.fromtimestamp(until, UTC)

    def usage_since(self, streams: Sequence[str]) -> int:
        """From when on usage of these streams is kept (µs of UTC), 0: all of it is; before, there are rollups only."""
        kept = 0
        for tree in self.trees():
            for view in map(View.of, streams):
                usage, sums = (
                    min(_segments(where), key=_SINCE, default=None)
                    for where in (view.rows(tree).folder, tree.rollup("5m", view.stream).folder)
                )
                if sums is not None and usage is None:
                    kept = EVER[1]
                elif sums is not None and usage is not None and _begins(sums) < _begins(usage):
                    kept = max(kept, day_of(usage) * DAY_S * 1_000_000)
        return kept

    def kept_around(self, stream: str, cells: Collection[int]) -> list[int]:
        """Which of these 5 minutes (µs of UTC) of a stream are kept for ever row by row, of all nodes; ascending."""
        found = set(cells)
        for tree in self.trees() if found else ():
            try:
                found &= around(tree, View.of(stream).stream, found)
            except OSError:
                # sums tell instead
                return []
        return sorted(found)

    def summed_until(self, streams: Sequence[str], step: str) -> int:
        """Up to when usage of all of these streams is in rollups of that step, about (µs of UTC); 0: there are none."""
        ends = [
            max((s.until for s in _segments(tree.rollup(step, View.of(name).stream).folder)), default=0)
            for tree in self.trees()
            for name in streams
        ]
        return min(ends, default=0) * 1_000_000

    def extent(self, streams: Sequence[str]) -> tuple[datetime, datetime] | None:
        """From when to when, in whole seconds, there is anything of these streams at all; None when there is nothing.

        The wall clock may have been stepped: neither the oldest nor the newest need be in the first or last file.
        """
        found: list[tuple[int, int]] = []
        for table in self._newer(streams):
            first, last = pc.min(table.column("t0")).as_py(), pc.max(table.column("t1")).as_py()
            found.append((int(first.timestamp()), int(last.timestamp()) + 1))
        found += [(s.since, s.until) for s in self._usage(streams)]
        for tree in self.trees():
            for view in map(View.of, streams):
                found += [(s.since, s.until) for s in _segments(tree.rollup("1d", view.stream).folder)]
        if not found:
            return None
        since, until = min(since for since, _ in found), max(until for _, until in found)
        return datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC)

    def up_to(self) -> dict[str, datetime]:
        """Up to when each node's data reaches, as the last question saw it: the newest cycle.

        Nodes of which there is nothing are missing.
        """
        reached = {}
        for tree in self.trees():
            with self._lock:
                if tree not in self._tails:
                    self._see(("node",), _NEVER, None, {})
                last_ns = self._tails[tree].last_ns
            until = None if last_ns is None else last_ns / 1e9
            if until is None:
                folders = [r.folder for r in tree.relations() if r.kind == "usage"]
                until = max((s.until for where in folders for s in _segments(where)), default=None)
            if until is not None:
                reached[tree.node] = datetime.fromtimestamp(until, UTC)
        return reached

    def _newer(self, streams: Sequence[str]) -> list[pa.Table]:
        """The usage of these streams that is in no segment yet."""
        with self._lock:
            seen, _ = self._see(streams, _NEVER, None, {})
        return [table for parts in seen.values() for what in parts for table in what.tail if len(table)]

    def _usage(self, streams: Sequence[str]) -> list[Segment]:
        """The segments with usage of these streams."""
        return [s for tree in self.trees() for name in streams for s in _segments(View.of(name).rows(tree).folder)]

    def _see(
        self,
        views: Iterable[str] | Mapping[str, Sequence[Piece]],
        since: int | None,
        until: int | None,
        unread: Mapping[Path, str],
    ) -> tuple[dict[str, list[Seen]], list[str]]:
        """What each view is made of now, without the `unread` files, and what is missing."""
        seen: dict[str, list[Seen]] = {}
        for name in views:
            pieces = views[name] if isinstance(views, Mapping) else ()
            if pieces:
                names = [name] if len(pieces) == 1 else [f"{name}_{i}" for i in range(len(pieces))]
                seen[name] = [Seen(n, p, View.of(p.name), cut=True) for n, p in zip(names, pieces, strict=True)]
            else:
                piece = Piece(name, EVER[0] if since is None else since, EVER[1] if until is None else until + 1)
                seen[name] = [Seen(name, piece, View.of(name))]
        every = [what for parts in seen.values() for what in parts]
        trouble: list[str] = []
        for tree in self.trees():
            trouble += self._look(tree, every, self._damaged | dict(unread))
        return seen, list(dict.fromkeys(trouble))

    def _look(self, tree: Tree, every: list[Seen], left_out: Mapping[Path, str]) -> list[str]:
        """Add what one node has to each view; gives back what is missing."""
        trouble: list[str] = []
        try:
            paths = journal.files(tree.journal)
            paths += mirrored(self.ring, tree.journal, paths)
        except OSError as error:
            paths = []
            trouble.append(not_now(error))
        begun = [journal.begun(p) for p in paths]
        gone = []
        for what in every:
            span = what.piece.since_us, what.piece.until_us
            sums, inside = Shelf(), (span[0] + 1, span[1] - 1)
            if what.view.step is not None:
                # a file of sums ends where the last of its buckets does
                sums = shelf(tree.rollup(what.view.step, what.view.stream).folder, *inside, (), left_out)
                what.kept += list(sums.visible)
            elif what.view.around:
                sums = shelf(tree.cuts(what.view.stream).folder, *inside, (), left_out)
                what.segments += list(sums.visible)
            # most of usage need not be opened, because sums say that they are of it; and no row counts twice
            unasked = frozenset().union(*(said.of for said in sums.visible.values()))
            found = shelf(what.view.rows(tree).folder, *span, begun, left_out, unasked)
            summed_up = sums.journals
            rows = [s for s, said in found.visible.items() if not (summed_up and summed_up.covers(said.journals))]
            # also files that only say what is replaced were looked at
            what.segments += [s for s in rows if reaches(s, *span)]
            gone.append({p.name for p in paths if p.name in found.replaced or summed_up.covers(Spans.of([p.name]))})
            trouble += sums.trouble + found.trouble
        first = next((i for i, p in enumerate(paths) if any(p.name not in names for names in gone)), len(paths))
        tail = self._tails.setdefault(tree, Tail(tree.journal, tree.node))
        tail.look(paths, first, {what.view.stream.name for what in every})
        for what, names in zip(every, gone, strict=True):
            kind: Kind = "readings" if what.view.readings else "usage"
            what.tail += tail.tables(kind, what.view.stream.name, names, what.piece.since_us, what.piece.until_us)
        trouble += tail.trouble
        try:
            aside = sorted(tree.quarantine.iterdir())
        except FileNotFoundError:
            aside = []
        except OSError as error:
            return [*trouble, not_now(error)]
        return [*trouble, *(f"{p} was put aside; what only it held is missing" for p in aside)]


def _begins(segment: Segment) -> str:
    """The first journal file of which the segment was made; names grow with their numbers. Unreadable: ''."""
    try:
        return next((first for first, _ in footer(segment).journals.names), "")
    except (SegmentError, OSError):
        return ""


def _segments(where: Path) -> Sequence[Segment]:
    """The segments in a folder, none where it cannot be read."""
    try:
        return listed(where)[0]
    except OSError:
        return ()
