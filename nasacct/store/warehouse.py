"""The warehouse: the store as views that SQL can ask.

`nfsd`, `ops`, `procs`, `links`, `disks`, `node` and `health` are usage, `readings_nfsd` and so on counters as they were
read, `nfsd_5m`, `nfsd_1h`, `nfsd_1d` and so on usage in longer cells (see `views.py`); each of all nodes, or of one. A
view is made for each query anew: of the segments that are visible at this moment, as a list of files, and of the
journal's tail, turned into usage by the same ledger that made the segments. So the last cycle is in every answer, and
no row is in one twice.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from nasacct.errors import DATA, NO_INPUT, NasacctError, not_now, of_os
from nasacct.store import journal
from nasacct.store import root as store_root
from nasacct.store.compaction import DAY_S, day_of
from nasacct.store.engine import DuckEngine, Engine, EngineError
from nasacct.store.journal_ring import RING, mirrored
from nasacct.store.journal_spans import Spans
from nasacct.store.segment_file import check
from nasacct.store.segments import SegmentError, footer, named
from nasacct.store.shelf import reaches, shelf
from nasacct.store.tail import Tail
from nasacct.store.tree import Tree, trees
from nasacct.store.views import EVER, Piece, Seen, View, joined

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from nasacct.store.segments import Kind, Segment

#: µs of UTC after everything that a segment's name can say.
_NEVER = 1 << 62


class Warehouse:
    """The store at `root`, or one `node` of it. May be asked by several threads; meant to live long.

    `trouble` tells, after each query, what could not be read and is therefore missing from its answer.
    What a collector on this machine mirrors below `ring`, because its disk does not take it, is in the answers.
    Raises NasacctError when there is no store, or none of that node.
    """

    def __init__(
        self, root: Path, node: str | None = None, engine: Engine | None = None, ring: Path | None = RING
    ) -> None:
        self.root, self.node = store_root.existing(root).absolute(), node
        self.ring = ring
        self.engine = engine or DuckEngine(self.root)
        self.trouble: list[str] = []
        self._tails: dict[Tree, Tail] = {}
        self._nodes: dict[str, Warehouse] = {}
        self._damaged: dict[Path, str] = {}
        self._lock = threading.Lock()
        self.trees()

    def trees(self) -> list[Tree]:
        """The trees of the nodes that this warehouse asks."""
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

    def query(
        self,
        sql: str,
        params: Mapping[str, Any] | None = None,
        *,
        views: Sequence[str] | Mapping[str, Sequence[Piece]],
        since: datetime | None = None,
        until: datetime | None = None,
        tables: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """The answer to `sql`, which may use these `views` and `tables`; a view may be made of pieces of others.

        Rows that end before `since` or begin after `until` may be missing from the views, so that no file is opened
        in vain; the SQL must still ask for its time. NasacctError when the query fails.
        """
        unread: dict[Path, str] = {}
        for _ in range(5):
            with self._lock:
                seen, trouble = self._see(views, _us(since), _us(until), unread)
            every = [what for parts in seen.values() for what in parts]
            for what in every:
                what.tail = [rows for rows in what.tail if _reaches(rows, what.piece)]
            made = {what.name: what.select() for what in every}
            made |= {name: joined(parts) for name, parts in seen.items() if parts[0].name != name}
            try:
                answer = self.engine.query(
                    sql,
                    params,
                    views=made,
                    tables={f"tail_{what.name}": what.table() for what in every} | dict(tables or {}),
                )
            except EngineError as error:
                if error.of_sql or not self._changed(every, unread):
                    raise NasacctError(f"asking the store {self.root} failed: {error}", DATA) from None
                continue
            self.trouble = trouble
            return answer
        raise NasacctError(f"the store {self.root} changes faster than it can be asked; try again", DATA)

    def by_node(self) -> list[Warehouse]:
        """A warehouse of each node, on the same engine; they are the same ones at every call."""
        if self.node is not None:
            return [self]
        for tree in self.trees():
            if tree.node not in self._nodes:
                self._nodes[tree.node] = Warehouse(self.root, tree.node, self.engine, self.ring)
        return [self._nodes[tree.node] for tree in self.trees()]

    def newest(self, views: Sequence[str]) -> datetime | None:
        """Up to when there is usage in any of these views; None when there is none."""
        with self._lock:
            seen, _ = self._see(views, _NEVER, None, {})
        tables = [table for parts in seen.values() for what in parts for table in what.tail if len(table)]
        if tables:
            latest: datetime = max(pc.max(table.column("t1")).as_py() for table in tables)
            return latest
        folders = [View.of(name).rows(tree).folder for tree in self.trees() for name in views]
        found = [named(p) for where in folders for p in _listed(where, [])]
        until = max((s.until for s in found if s), default=None)
        return None if until is None else datetime.fromtimestamp(until, UTC)

    def usage_since(self, streams: Sequence[str]) -> int:
        """From when on usage of these streams is kept (µs of UTC), 0: all of it is; before, there are rollups only."""
        kept = 0
        for tree in self.trees():
            for view in map(View.of, streams):
                usage, sums = (
                    min(filter(None, map(named, _listed(where, []))), key=lambda s: s.since, default=None)
                    for where in (view.rows(tree).folder, tree.rollup("5m", view.stream).folder)
                )
                if sums is not None and usage is None:
                    kept = EVER[1]
                elif sums is not None and usage is not None and _begins(sums) < _begins(usage):
                    kept = max(kept, day_of(usage) * DAY_S * 1_000_000)
        return kept

    def extent(self, streams: Sequence[str]) -> tuple[datetime, datetime] | None:
        """From when to when, in whole seconds, there is anything of these streams at all; None when there is nothing.

        The wall clock may have been stepped: neither the oldest nor the newest need be in the first or last file.
        """
        with self._lock:
            seen, _ = self._see(streams, _NEVER, None, {})
        found: list[tuple[int, int]] = []
        for table in (table for parts in seen.values() for what in parts for table in what.tail if len(table)):
            first, last = pc.min(table.column("t0")).as_py(), pc.max(table.column("t1")).as_py()
            found.append((int(first.timestamp()), int(last.timestamp()) + 1))
        for tree in self.trees():
            for view in map(View.of, streams):
                for where in (view.rows(tree).folder, tree.rollup("1d", view.stream).folder):
                    found += [(s.since, s.until) for s in map(named, _listed(where, [])) if s is not None]
        if not found:
            return None
        since, until = min(since for since, _ in found), max(until for _, until in found)
        return datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC)

    def up_to(self) -> dict[str, datetime]:
        """Up to when each node's data reaches, as the last query saw it: the newest cycle.

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
                listed = [p for r in tree.relations() if r.kind == "usage" for p in _listed(r.folder, [])]
                until = max((s.until for s in map(named, listed) if s), default=None)
            if until is not None:
                reached[tree.node] = datetime.fromtimestamp(until, UTC)
        return reached

    def _see(
        self,
        views: Sequence[str] | Mapping[str, Sequence[Piece]],
        since: int | None,
        until: int | None,
        unread: Mapping[Path, str],
    ) -> tuple[dict[str, list[Seen]], list[str]]:
        """What each view is made of now, without the `unread` files, and what is missing."""
        seen: dict[str, list[Seen]] = {}
        for name in views:
            if isinstance(views, Mapping):
                seen[name] = [Seen(f"{name}_{i}", p, View.of(p.name)) for i, p in enumerate(views[name])]
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
        shelves = [
            shelf(what.view.rows(tree).folder, what.piece.since_us, what.piece.until_us, begun, left_out)
            for what in every
        ]
        first = next(
            (i for i, p in enumerate(paths) if any(p.name not in found.replaced for found in shelves)), len(paths)
        )
        tail = self._tails.setdefault(tree, Tail(tree.journal, tree.node))
        tail.look(paths, first)
        for what, found in zip(every, shelves, strict=True):
            rows, replaced = found.visible, set(found.replaced)
            if what.view.step is not None:
                where = tree.rollup(what.view.step, what.view.stream).folder
                kept = shelf(where, what.piece.since_us, what.piece.until_us, (), left_out)
                what.kept += list(kept.visible)
                summed_up = kept.journals
                rows = {s: said for s, said in rows.items() if not summed_up.covers(said.journals)}
                # kept and summed since usage was looked at
                replaced |= {p.name for p in paths if summed_up.covers(Spans.of([p.name]))}
                trouble += kept.trouble
            # also files that only say what is replaced were looked at
            what.segments += [s for s in rows if reaches(s, what.piece.since_us, what.piece.until_us)]
            kind: Kind = "readings" if what.view.readings else "usage"
            what.tail += tail.tables(kind, what.view.stream.name, replaced)
            trouble += found.trouble
        trouble += tail.trouble
        aside = _listed(tree.quarantine, trouble)
        return [*trouble, *(f"{p} could not be read; what it held is missing" for p in aside)]

    def _changed(self, every: list[Seen], unread: dict[Path, str]) -> bool:
        """Whether a query may have failed because of files that are gone, damaged or cannot be read now.

        The next look leaves them out; the last ones, added to `unread`, only in this query.
        """
        changed = False
        for what in every:
            for segment in (*what.segments, *what.kept):
                try:
                    check(segment)
                except FileNotFoundError:
                    changed = True
                except SegmentError:
                    self._damaged[segment.path] = f"{segment.path} is damaged; it is left out"
                    changed = True
                except OSError as error:
                    unread[segment.path] = not_now(error)
                    changed = True
        return changed


def _begins(segment: Segment) -> str:
    """The first journal file of which the segment was made; names grow with their numbers. Unreadable: ''."""
    try:
        return next((first for first, _ in footer(segment).journals.names), "")
    except (SegmentError, OSError):
        return ""


def _listed(where: Path, trouble: list[str]) -> list[Path]:
    """What a folder holds; nothing when it is not there or, told in `trouble`, cannot be read."""
    try:
        return sorted(where.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        trouble.append(not_now(error))
        return []


def _reaches(rows: pa.Table, piece: Piece) -> bool:
    """Whether usage or readings may be of this piece's time: a view without any is a simpler question."""
    if not len(rows):
        return False
    first, last = ("t0", "t1") if "t0" in rows.column_names else ("t", "t")
    begin: int = pc.min(rows.column(first).cast("int64")).as_py()
    end: int = pc.max(rows.column(last).cast("int64")).as_py()
    return begin < piece.until_us and end >= piece.since_us


def _us(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1_000_000)
