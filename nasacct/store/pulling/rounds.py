"""Pulling: a store is copied while it is written, so that the copy answers right at every moment.

A round lists the source, fetches what is new, lets it in, and then looks after what the source no longer has.

- Segments come into ROOT/.pull, which no reader looks at, are compared with the digest in their names, and are renamed
  to their places in the order of time, all that a listing told of or none. Whatever files of a store are together, no
  row is in two that a reader sees, so between two renames the copy only lacks what is newest. Rollups come first: usage
  that they cover is passed over, but usage of which they cover a part would count twice. So merged usage waits until
  two listings told of it: the source summed it before it merged it, but folders are listed one after the other.
- The journal grows in place, the older file to its end before the next one is begun. It must not go on behind a gap:
  usage would bridge it and count again what segments hold. So unless the last round is younger than half the time
  for which the source keeps what was replaced, segments come first, and the journal only if they took no longer.
- Nothing is deleted because the source lacks it (see `departed.py`). Address books, inventory and chronicles come last
  (`books.py`, `inventories.py`, `chronicles.py`).
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nasacct.errors import CANT_CREATE, IO, NO_INPUT, NasacctError, of_os
from nasacct.store import root as store_root
from nasacct.store.copies import MARK, Copied, copied
from nasacct.store.expiry import GRACE_S
from nasacct.store.pulling.books import Books
from nasacct.store.pulling.chronicles import Chronicles
from nasacct.store.pulling.departed import settle
from nasacct.store.pulling.inventories import Inventories
from nasacct.store.pulling.remote import STORE, Listing, Remote, StoreFile, listed_here
from nasacct.store.pulling.stage import Stage
from nasacct.store.segments import named
from nasacct.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Collection

    from nasacct.store.expiry import Rules

log = logging.getLogger(__name__)

#: How often a round begins anew because the source was compacted meanwhile.
_ATTEMPTS = 10


class Pull:
    """The copying of one source into the store at `root`, round after round.

    `rules`: how long the copy keeps what the source no longer has. `source_grace_s`: for how long the source keeps what
    was replaced. Only the tree of `node`, if given. `limit` is in bytes a second, for segments; while these take their
    time, the journal is copied every `every_s` seconds. `moved` accepts trees that came from another place before.
    """

    def __init__(
        self,
        remote: Remote,
        root: Path,
        rules: Rules,
        *,
        node: str | None = None,
        limit: int | None = None,
        every_s: float = 10,
        moved: bool = False,
        source_grace_s: float = GRACE_S,
    ) -> None:
        self.remote, self.root, self.rules = remote, root, rules
        self.node, self.limit, self.every_s, self.moved = node, limit, every_s, moved
        self.most_s = source_grace_s / 2
        self.nodes: set[str] = set()
        self.files = self.bytes = 0
        self._stage = Stage(root, remote.source)
        self._books, self._inventories = Books(remote, root), Inventories(remote, root)
        self._chronicles = Chronicles(remote, root)
        self._locks = ExitStack()
        self._stamp: str | None = None
        self._told: set[StoreFile] = set()
        self._fresh: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._locks.close()

    def round(self) -> None:
        """Bring the copy up to date. NasacctError when the source cannot be read, or must not be copied here."""
        try:
            for _ in range(_ATTEMPTS):
                if self._attempt():
                    return
        except OSError as error:
            raise of_os(error, f"copying {self.remote.source} to {self.root}") from error
        raise NasacctError(
            f"{self.remote.source} was compacted again and again while it was copied; try again, or at another time", IO
        )

    def _attempt(self) -> bool:
        """Whether the copy has now all that the source had when this began."""
        began, at = time.monotonic(), datetime.now(UTC)
        there = self._look()
        steady = self._steady(there, began)
        self._journals(there, steady, began)
        if not self._segments(there, steady):
            return False
        nodes = {file.node for file in there.files}
        late = nodes - steady
        if late and time.monotonic() - began > self.most_s:
            return False
        here = self._here()
        for node in nodes:
            settle(Tree(self.root, node), here.files, there.files, time.time(), self.rules)
        self._journals(there, late, began, verify=True)
        self._books.bring(there, nodes)
        self._inventories.bring(there)
        self._chronicles.bring(there)
        for node in nodes:
            mark = Copied(self.remote.source, at.replace(microsecond=0))
            store_root.write_atomically(Tree(self.root, node).folder / MARK, mark.encode())
        return True

    def _look(self) -> Listing:
        """The source's files now, of the nodes that are copied; their trees here are ours from then on."""
        there = self.remote.listing()
        if there.stamp is None:
            raise NasacctError(f"{self.remote.source} holds no store; check the path behind the colon", NO_INPUT)
        if there.stamp != self._stamp:
            with self.remote.brought([STORE]) as folder:
                store_root.version(folder, self.remote.source)
            self._stamp = there.stamp
        nodes = {file.node for file in there.files}
        if self.node is not None:
            if self.node not in nodes:
                held = ", ".join(sorted(nodes)) or "none"
                raise NasacctError(f"{self.remote.source} holds no node {self.node}; it holds: {held}", NO_INPUT)
            nodes = {self.node}
        for node in sorted(nodes - self.nodes):
            self._refuse(node)
        for node in sorted(nodes - self.nodes):
            self._hold(node)
        there.files = {file: size for file, size in there.files.items() if file.node in nodes}
        return there

    def _refuse(self, node: str) -> Copied | None:
        """What the tree here was copied from; NasacctError when it is no copy or one of something else."""
        tree = Tree(self.root, node).folder
        found = copied(tree)
        if found is None and tree.is_dir() and any(not _is_ours(p) for p in tree.iterdir()):
            raise NasacctError(
                f"{tree} is no copy: its readings were made here; pull into another --root, or only other nodes with "
                "--node",
                CANT_CREATE,
            )
        if found is not None and found.source != self.remote.source and not self.moved:
            raise NasacctError(
                f"{tree} is a copy of {found.source}; say --moved if that is now {self.remote.source}, else pull into "
                "another --root",
                CANT_CREATE,
            )
        return found

    def _hold(self, node: str) -> None:
        self._locks.enter_context(store_root.lock(self.root, node, "pull"))
        found = self._refuse(node)
        mark = Copied(self.remote.source, found.at if found else None)
        if mark != found:
            store_root.write_atomically(Tree(self.root, node).folder / MARK, mark.encode())
        self.nodes.add(node)

    def _here(self, root: Path | None = None) -> Listing:
        found = listed_here(root or self.root)
        found.files = {file: size for file, size in found.files.items() if file.node in self.nodes}
        return found

    def _steady(self, there: Listing, now: float) -> set[str]:
        """The nodes whose journal here goes on without a gap in what is there."""
        newest = {file.node: file for file in sorted(self._here().files, key=_by_name) if file.kind == "journal"}
        return {
            node
            for node, fresh in self._fresh.items()
            if now - fresh < self.most_s and (node not in newest or newest[node] in there.files)
        }

    def _journals(self, there: Listing, nodes: Collection[str], began: float, *, verify: bool = False) -> None:
        """Copy what these nodes' journals have more than here; `began`: when the listing was asked for."""
        here = self._here().files
        newest = {file.node: file.name for file in sorted(here, key=_by_name) if file.kind == "journal"}
        mine = [f for f in sorted(there.files, key=_by_name) if f.kind == "journal" and f.node in nodes]
        # the newest one here is asked for whatever its size: it may have grown since the listing, and the next begun;
        # one that is shorter there lost its end when the source crashed
        begun = [f for f in mine if f not in here or here[f] > there.files[f]]
        grown = [f for f in mine if f not in begun and (here[f] < there.files[f] or f.name >= newest[f.node])]
        if grown:
            self.remote.fetch([f.path for f in grown], self.root, verify=verify)
        if begun:
            self.remote.fetch([f.path for f in begun], self._stage.folder, verify=verify)
            self._stage.let_in(begun)
        after = self._here().files
        self.bytes += sum(max(after.get(f, 0) - here.get(f, 0), 0) for f in mine)
        self.files += len(begun)
        self._fresh.update(dict.fromkeys(nodes, began))

    def _segments(self, there: Listing, steady: set[str]) -> bool:
        """Fetch the segments that are missing and let them in; False when some are missing still."""
        here = self._here().files
        names = {(f.node, f.name) for f in here}
        wanted = [f for f in there.files if f.kind != "journal" and f not in here and f not in self._stage.damaged]
        # what is broken there may be whole here
        wanted = [f for f in wanted if f.kind != "quarantine" or (f.node, f.name) not in names]
        told, self._told = self._told, set(there.files)
        for file in self._here(self._stage.folder).files:
            if file not in there.files:
                (self._stage.folder / file.path).unlink()
        if not wanted:
            return True
        self._stage.folder.mkdir(mode=0o750, exist_ok=True)

        def refresh() -> None:
            began = time.monotonic()
            now = self._look()
            self._journals(now, self._steady(now, began) & steady, began)

        self.remote.fetch(
            [f.path for f in wanted],
            self._stage.folder,
            limit=self.limit,
            meanwhile=refresh if steady else None,
            every_s=self.every_s,
        )
        fetched = self._here(self._stage.folder).files
        if any(fetched.get(f) != there.files[f] for f in wanted):
            return False
        sound = [f for f in wanted if self._stage.sound(f)]
        if any(f in self._stage.suspect for f in wanted) or any(_is_merged(f) and f not in told for f in sound):
            return False
        self._stage.let_in(sorted((f for f in sound if f.kind == "rollup"), key=_by_time))
        self._stage.let_in(sorted((f for f in sound if f.kind != "rollup"), key=_by_time))
        size = sum(there.files[f] for f in sound)
        log.info("%d files, %d bytes from %s", len(sound), size, self.remote.source)
        self.files += len(sound)
        self.bytes += size
        return True


def _is_merged(file: StoreFile) -> bool:
    return file.kind == "usage" and not file.name.startswith("part-")


def _is_ours(path: Path) -> bool:
    """Whether a pull that was killed at its very beginning may have left this in a new tree."""
    return path.name == "pull.lock" or path.name.startswith(".")


def _by_name(file: StoreFile) -> str:
    return file.name


def _by_time(file: StoreFile) -> tuple[int, int]:
    segment = named(Path(file.name))
    return (segment.until, segment.since) if segment else (0, 0)
