"""What a later version wrote: found before the first byte is written, so that nothing of it is ever half understood."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from nasacct.store import journal, judged
from nasacct.store.addresses import book
from nasacct.store.segments import SegmentError, footer, named

if TYPE_CHECKING:
    from nasacct.store.tree import Tree


def refuse_newer(tree: Tree) -> None:
    """NasacctError when the tree holds anything of a version that this program does not know.

    Journal files, segments, the address book and what is kept of episodes say theirs. What cannot be read is somebody
    else's to tell.
    """
    journal.refuse_newer(tree.journal)
    with suppress(SegmentError, OSError):
        book(tree.folder)
    with suppress(OSError):
        judged.refuse_newer(tree)
    for relation in tree.every():
        with suppress(OSError):
            for segment in filter(None, map(named, relation.folder.iterdir())):
                with suppress(SegmentError, OSError):
                    footer(segment)
