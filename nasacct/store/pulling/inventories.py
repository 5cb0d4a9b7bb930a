"""The source's inventory, which the copy's own learns: so who asks the copy is told whose everything is.

A copy of several nodes has what was told to the store of each, and what was told to itself. So nothing is overwritten:
statements that are not there yet are added, as if they were told here (`inventory.merge`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nasacct.errors import TEMPORARY, NasacctError
from nasacct.store import forgotten, inventory
from nasacct.store.personal import left_out

if TYPE_CHECKING:
    from pathlib import Path

    from nasacct.store.pulling.remote import Listing, Remote

log = logging.getLogger(__name__)


class Inventories:
    """Knows which state of the source's inventory the copy at `root` has learned."""

    def __init__(self, remote: Remote, root: Path) -> None:
        self._remote, self._root = remote, root
        self._learned: str | None = None

    def bring(self, there: Listing) -> None:
        """Learn what is new there. What cannot be learned is told in the log; while others tell, the next round tries.

        NasacctError when it cannot be fetched; OSError.
        """
        if there.inventory in (None, self._learned):
            return
        source = self._remote.source
        with self._remote.brought([inventory.FILE]) as fetched:
            try:
                content = (fetched / inventory.FILE).read_bytes()
            except FileNotFoundError:
                # the source has just replaced it, or lost it
                return
        try:
            theirs = inventory.decoded(content, f"the inventory of {source}")
            gone = forgotten.read(self._root).keys()
            if gone:
                # who was forgotten here does not come back from there
                stay, _ = left_out(theirs.said.values(), inventory.read(self._root), gone)
                theirs = inventory.Inventory(stay)
            inventory.merge(self._root, theirs)
        except NasacctError as error:
            log.warning("whose what is at %s is not learned: %s", source, error)
            if error.status == TEMPORARY:
                return
        self._learned = there.inventory
