"""The warehouse: the store as views that SQL can ask.

`nfsd`, `ops`, `procs`, `links`, `disks`, `node` and `health` are usage, `readings_nfsd` and so on counters as they were
read, `nfsd_5m`, `nfsd_1h`, `nfsd_1d` and so on usage in longer cells (see `views.py`); each of all nodes, or of one. A
view is made for each query anew: of the segments that are visible at this moment, as a list of files, and of the
journal's tail, turned into usage by the same ledger that made the segments. So the last cycle is in every answer, and
no row is in one twice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from nasacct.errors import DATA, NasacctError, not_now
from nasacct.store import addresses
from nasacct.store.engine import DuckEngine, Engine, EngineError
from nasacct.store.journal_ring import RING
from nasacct.store.picking import picked
from nasacct.store.segment_file import check
from nasacct.store.segments import SegmentError
from nasacct.store.stock import Stock
from nasacct.store.views import joined
from nasacct.times import us

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime
    from pathlib import Path

    from nasacct.store.views import Piece, Seen


@dataclass(frozen=True, slots=True)
class Question:
    """A SELECT that may use these `views` and `tables`; a view may be made of pieces of others.

    `columns` are those that it names of any view, None: any. The fewer there are, the sooner the question is planned.
    `of` names the key K of a `SELECT * EXCLUDE (K) FROM view WHERE K = $K`, whose rows may need no SQL.
    `of_rows` says that there is no answer without rows in its views: then it is not asked, and has no columns either.
    """

    sql: str
    params: Mapping[str, Any] | None = None
    views: Sequence[str] | Mapping[str, Sequence[Piece]] = ()
    columns: Collection[str] | None = None
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    of: str | None = None
    of_rows: bool = False


class Warehouse(Stock):
    """The stock at `root` to be asked, by several threads.

    `trouble` tells, after each query, what could not be read and is therefore missing from its answer.
    """

    def __init__(
        self, root: Path, node: str | None = None, engine: Engine | None = None, ring: Path | None = RING
    ) -> None:
        super().__init__(root, node, ring)
        self.engine = engine or DuckEngine(self.root)
        self.trouble: list[str] = []
        self._nodes: dict[str, Warehouse] = {}
        self._askers = ThreadPoolExecutor(os.cpu_count(), "asker")

    def by_node(self) -> list[Warehouse]:
        """A warehouse of each node, on the same engine; they are the same ones at every call."""
        if self.node is not None:
            return [self]
        for tree in self.trees():
            if tree.node not in self._nodes:
                self._nodes[tree.node] = Warehouse(self.root, tree.node, self.engine, self.ring)
        return [self._nodes[tree.node] for tree in self.trees()]

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
        """The answer to one question, see `answers`."""
        return self.answers([Question(sql, params, views, None, tables or {})], since, until)[0]

    def answers(
        self,
        questions: Sequence[Question],
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        then: Callable[[list[pa.Table]], Sequence[Question]] = lambda _: (),
    ) -> list[pa.Table]:
        """The answers to questions that are asked at the same time, of the store as it is at one moment.

        Whoever sees the answers may `then` ask more of the same views at the same moment.
        Rows that end before `since` or begin after `until` may be missing from the views, so that no file is opened
        in vain; the SQL must still ask for its time. NasacctError when a query fails.
        """
        views: dict[str, Sequence[Piece]] = {}
        for each in questions:
            views |= each.views if isinstance(each.views, Mapping) else dict.fromkeys(each.views, ())
        unread: dict[Path, str] = {}
        for _ in range(5):
            with self._lock:
                seen, trouble = self._see(views, _us(since), _us(until), unread)
            every = [what for parts in seen.values() for what in parts]
            for what in every:
                what.tail = [rows for rows in what.tail if _reaches(rows, what.piece)]
            try:
                found = self._ask(questions, seen)
                found += self._ask(then(found), seen)
            except EngineError as error:
                if error.of_sql or not self._changed(every, unread):
                    raise NasacctError(f"asking the store {self.root} failed: {error}", DATA) from None
                continue
            self.trouble = trouble
            return found
        raise NasacctError(f"the store {self.root} changes faster than it can be asked; try again", DATA)

    def addresses(self) -> dict[str, dict[str, str]]:
        """Of each node the addresses of clients by their ids, as far as they are known.

        From the address books, and from the journal's tail as the last question about clients saw it.
        """
        found: dict[str, dict[str, str]] = {}
        for tree in self.trees():
            known: dict[str, str] = {}
            try:
                known, damaged = addresses.read(tree.folder)
            except OSError as error:
                damaged = not_now(error)
            self.trouble += [damaged] if damaged else []
            with self._lock:
                tail = self._tails.get(tree)
                found[tree.node] = known | (tail.clients if tail else {})
        return found

    def datasets(self) -> dict[str, dict[str, str]]:
        """Of each node what datasets are called, by their guids, that the last question found in the journal's tail."""
        with self._lock:
            tails = {tree.node: self._tails.get(tree) for tree in self.trees()}
            return {node: tail.datasets for node, tail in tails.items() if tail}

    def _ask(self, questions: Sequence[Question], seen: Mapping[str, list[Seen]]) -> list[pa.Table]:
        """The answers; EngineError."""
        calls = [self._call(each, seen) for each in questions]
        # planning and reading each use one processor; a thread that has asked before has its memory at hand
        others = [self._askers.submit(call) for call in calls[1:]]
        try:
            return [call() for call in calls[:1]] + [each.result() for each in others]
        finally:
            wait(others)

    def _call(self, question: Question, seen: Mapping[str, list[Seen]]) -> Callable[[], pa.Table]:
        """What asks the engine, or reads what needs no SQL."""
        if question.of_rows and not any(what.has_rows for name in question.views for what in seen[name]):
            return partial(pa.table, {})
        if question.of is None:
            return self._selected(question, seen)
        return partial(self._rows, question, question.of, seen)

    def _rows(self, question: Question, key: str, seen: Mapping[str, list[Seen]]) -> pa.Table:
        """The rows that need no SQL, and those that do."""
        assert question.columns is not None
        assert question.params is not None
        value = question.params[key]
        (name,) = question.views
        found, rest = [], []
        try:
            for what in seen[name]:
                rows = picked(what, key, value, question.columns)
                if rows is not None:
                    found.append(rows)
                if rows is None or what.segments or any(map(len, what.tail)):
                    rest.append(what if rows is None else replace(what, kept=[]))
        except (SegmentError, OSError) as error:
            raise EngineError(str(error), of_sql=False) from None
        if len(rest) == 1 and rest[0].cut and rest[0].view.step is None and "t0_us" in question.columns:
            # of one key there are few rows beyond the edges: to leave them out takes less time than to plan it
            (what,) = rest
            rows = self._selected(question, {name: [replace(what, cut=False)]})()
            found.append(_within(rows, what.piece))
        elif rest:
            found.append(self._selected(question, {name: rest})())
        return pa.concat_tables(found, promote_options="default")

    def _selected(self, question: Question, seen: Mapping[str, list[Seen]]) -> Callable[[], pa.Table]:
        """What asks the engine."""
        made: dict[str, str] = {}
        for name in question.views:
            made |= joined(name, seen[name], question.columns)
        parts = [what for name in question.views for what in seen[name]]
        tables = {what.tail_name: what.table() for what in parts if any(what.tail_name in s for s in made.values())}
        tables |= question.tables
        return partial(self.engine.query, question.sql, question.params, views=made, tables=tables)

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


def _reaches(rows: pa.Table, piece: Piece) -> bool:
    """Whether usage or readings may be of this piece's time: a view without any is a simpler question."""
    if not len(rows):
        return False
    first, last = ("t0", "t1") if "t0" in rows.column_names else ("t", "t")
    begin: int = pc.min(rows.column(first).cast("int64")).as_py()
    end: int = pc.max(rows.column(last).cast("int64")).as_py()
    return begin < piece.until_us and end >= piece.since_us


def _within(rows: pa.Table, piece: Piece) -> pa.Table:
    """The rows that begin in the piece's time."""
    at: Any = rows.column("t0_us")
    early, late = pa.scalar(piece.since_us), pa.scalar(piece.until_us)
    return rows.filter(pc.and_(pc.greater_equal(at, early), pc.less(at, late)))


def _us(at: datetime | None) -> int | None:
    return None if at is None else us(at)
