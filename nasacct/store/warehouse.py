"""The warehouse: the store as views that SQL can ask.

`nfsd`, `ops`, `procs`, `links`, `disks`, `node` and `health` are usage, `readings_nfsd` and so on counters as they were
read; each of all nodes, or of one. A view is made for each query anew: of the segments that are visible at this
moment, as a list of files, and of the journal's tail, turned into usage by the same ledger that made the segments. So
the last cycle is in every answer, and no row is in one twice.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from nasacct.errors import DATA, NO_INPUT, NasacctError, not_now
from nasacct.store import journal
from nasacct.store import root as store_root
from nasacct.store.engine import DuckEngine, Engine, EngineError, quoted
from nasacct.store.schema import STREAMS
from nasacct.store.segment_file import check
from nasacct.store.segments import SegmentError, named
from nasacct.store.shelf import shelf
from nasacct.store.tail import Tail
from nasacct.store.tree import Relation, Tree, trees

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nasacct.store.segments import Segment

_READINGS = "readings_"
#: µs of UTC after everything that a segment's name can say.
_NEVER = 1 << 62


@dataclass(slots=True)
class _Seen:
    """What one view is made of; the first table of the tail is empty and has the columns."""

    relation: Relation
    segments: list[Segment] = field(default_factory=list)
    tail: list[pa.Table] = field(init=False)

    def __post_init__(self) -> None:
        self.tail = [self.relation.schema.empty_table()]


class Warehouse:
    """The store at `root`, or one `node` of it. May be asked by several threads; meant to live long.

    `trouble` tells, after each query, what could not be read and is therefore missing from its answer.
    Raises NasacctError when there is no store, or none of that node.
    """

    def __init__(self, root: Path, node: str | None = None, engine: Engine | None = None) -> None:
        self.root, self.node = store_root.existing(root).absolute(), node
        self.engine = engine or DuckEngine(self.root)
        self.trouble: list[str] = []
        self._tails: dict[Tree, Tail] = {}
        self._nodes: dict[str, Warehouse] = {}
        self._damaged: dict[Path, str] = {}
        self._lock = threading.Lock()
        self.trees()

    def trees(self) -> list[Tree]:
        """The trees of the nodes that this warehouse asks."""
        found = trees(self.root)
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
        views: Sequence[str],
        since: datetime | None = None,
        until: datetime | None = None,
        tables: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """The answer to `sql`, which may use these `views` and `tables`.

        Rows that end before `since` or begin after `until` may be missing from the views, so that no file is opened
        in vain; the SQL must still ask for its time. NasacctError when the query fails.
        """
        unread: dict[Path, str] = {}
        for _ in range(5):
            with self._lock:
                seen, trouble = self._see(views, _us(since), _us(until), unread)
            try:
                answer = self.engine.query(
                    sql,
                    params,
                    views=[_view(name, what.relation, what.segments) for name, what in seen.items()],
                    tables={f"tail_{k}": pa.concat_tables(v.tail) for k, v in seen.items()} | dict(tables or {}),
                )
            except EngineError as error:
                if error.of_sql or not self._changed(seen, unread):
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
                self._nodes[tree.node] = Warehouse(self.root, tree.node, self.engine)
        return [self._nodes[tree.node] for tree in self.trees()]

    def newest(self, views: Sequence[str]) -> datetime | None:
        """Up to when there is usage in any of these views; None when there is none."""
        with self._lock:
            seen, _ = self._see(views, _NEVER, None, {})
        tables = [table for what in seen.values() for table in what.tail if len(table)]
        if tables:
            latest: datetime = max(pc.max(table.column("t1")).as_py() for table in tables)
            return latest
        folders = [_relation(tree, name).folder for tree in self.trees() for name in views]
        found = [named(p) for where in folders for p in _listed(where, [])]
        until = max((s.until for s in found if s), default=None)
        return None if until is None else datetime.fromtimestamp(until, UTC)

    def _see(
        self, views: Sequence[str], since: int | None, until: int | None, unread: Mapping[Path, str]
    ) -> tuple[dict[str, _Seen], list[str]]:
        """What each view is made of now, without the `unread` files, and what is missing."""
        left_out = self._damaged | dict(unread)
        seen = {name: _Seen(_relation(Tree(self.root, ""), name)) for name in views}
        trouble: list[str] = []
        for tree in self.trees():
            try:
                paths = journal.files(tree.journal)
            except OSError as error:
                paths = []
                trouble.append(not_now(error))
            begun = [journal.begun(p) for p in paths]
            shelves = {name: shelf(_relation(tree, name).folder, since, until, begun, left_out) for name in views}
            replaced = [found.replaced for found in shelves.values()]
            first = next((i for i, p in enumerate(paths) if any(p.name not in r for r in replaced)), len(paths))
            tail = self._tails.setdefault(tree, Tail(tree.journal, tree.node))
            tail.look(paths, first)
            for name, found in shelves.items():
                what = seen[name]
                what.segments += list(found.visible)
                what.tail += tail.tables(what.relation.kind, what.relation.stream.name, found.replaced)
                trouble += found.trouble
            trouble += tail.trouble
            aside = _listed(tree.quarantine, trouble)
            trouble += [f"{p} could not be read; what it held is missing" for p in aside]
        return seen, list(dict.fromkeys(trouble))

    def _changed(self, seen: dict[str, _Seen], unread: dict[Path, str]) -> bool:
        """Whether a query may have failed because of files that are gone, damaged or cannot be read now.

        The next look leaves them out; the last ones, added to `unread`, only in this query.
        """
        changed = False
        for what in seen.values():
            for segment in what.segments:
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


def _listed(where: Path, trouble: list[str]) -> list[Path]:
    """What a folder holds; nothing when it is not there or, told in `trouble`, cannot be read."""
    try:
        return sorted(where.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        trouble.append(not_now(error))
        return []


def _relation(tree: Tree, view: str) -> Relation:
    stream = STREAMS[view.removeprefix(_READINGS)]
    return tree.relation("readings" if view.startswith(_READINGS) else "usage", stream)


def _view(name: str, relation: Relation, segments: list[Segment]) -> str:
    """The statement that makes a view of these segments and of the table `tail_<name>`."""
    files = ", ".join(quoted(str(s.path)) for s in segments)
    source = _template("segments_and_tail" if segments else "tail").format(view=name, files=files)
    # some operations and times have names that are words of SQL
    columns = ", ".join(f'"{name}"' for name in relation.schema.names)
    return _template(relation.kind).format(view=name, columns=columns, source=source)


@cache
def _template(name: str) -> str:
    text = resources.files("nasacct.store.sql").joinpath(f"{name}.sql").read_text()
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


def _us(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1_000_000)
