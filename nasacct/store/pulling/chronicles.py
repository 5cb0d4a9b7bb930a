"""The source's chronicles, which the copy's own learn: so who asks the copy is told what was noted and judged there.

A copy of several nodes has what was told to the store of each, and what was told to itself (`Chronicle.merge`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from nasacct.errors import TEMPORARY, NasacctError
from nasacct.store import judgements, notes

if TYPE_CHECKING:
    from pathlib import Path

    from nasacct.store.pulling.remote import Listing, Remote

log = logging.getLogger(__name__)

_EVERY = {each.file: each for each in (notes.CHRONICLE, judgements.CHRONICLE)}


class Chronicles:
    """Knows which states of the source's chronicles the copy at `root` has learned."""

    def __init__(self, remote: Remote, root: Path) -> None:
        self._remote, self._root = remote, root
        self._learned: dict[str, str] = {}

    def bring(self, there: Listing) -> None:
        """Learn what is new there. What cannot be learned is told in the log; while others tell, the next round tries.

        NasacctError when it cannot be fetched; OSError.
        """
        changed = {name: stamp for name, stamp in there.chronicles.items() if self._learned.get(name) != stamp}
        if not changed:
            return
        source = self._remote.source
        with self._remote.brought(list(changed)) as fetched:
            for name, stamp in changed.items():
                chronicle = _EVERY[name]
                try:
                    content = (fetched / name).read_bytes()
                    chronicle.merge(self._root, chronicle.decoded(content, f"{name} of {source}"))
                except FileNotFoundError:
                    # the source has just replaced it, or lost it
                    continue
                except NasacctError as error:
                    log.warning("%s at %s are not learned: %s", chronicle.called, source, error)
                    if error.status == TEMPORARY:
                        continue
                self._learned[name] = stamp
