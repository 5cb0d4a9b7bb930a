"""The address books of the source, brought whole whenever they have changed: what is struck out there goes here too."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nasacct.store import addresses
from nasacct.store.root import write_atomically
from nasacct.store.segments import SegmentError
from nasacct.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from nasacct.store.pulling.remote import Listing, Remote

log = logging.getLogger(__name__)


class Books:
    """Knows which states of the books were brought to the copy at `root`."""

    def __init__(self, remote: Remote, root: Path) -> None:
        self._remote, self._root = remote, root
        self._brought: dict[str, str] = {}

    def bring(self, there: Listing, nodes: Collection[str]) -> None:
        """Fetch the books of these nodes that are not here as they are there. One that is damaged is left.

        NasacctError when one is of a newer version or cannot be fetched; OSError.
        """
        wanted = {node: stamp for node, stamp in there.books.items() if node in nodes}
        changed = {node: stamp for node, stamp in wanted.items() if self._brought.get(node) != stamp}
        if not changed:
            return
        source = self._remote.source
        with self._remote.brought([f"node={node}/{addresses.FILE}" for node in changed]) as fetched:
            for node, stamp in changed.items():
                tree = Tree(fetched, node).folder
                try:
                    addresses.book(tree)
                    content = (tree / addresses.FILE).read_bytes()
                except SegmentError:
                    log.warning(
                        "the address book of node %s is damaged at %s; the copy's stays as it was", node, source
                    )
                except FileNotFoundError:
                    # the source has just replaced it, or lost it
                    continue
                else:
                    write_atomically(Tree(self._root, node).folder / addresses.FILE, content)
                self._brought[node] = stamp
