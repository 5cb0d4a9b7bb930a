"""The stage: where fetched files of a copy lie until they are whole, below ROOT/.pull, at which no reader looks."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from nasacct.store import judged
from nasacct.store.copies import STAGE
from nasacct.store.segment_file import digest_of
from nasacct.store.segments import SegmentError, footer, named
from nasacct.store.sync import sync_folder
from nasacct.store.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nasacct.store.pulling.remote import StoreFile

log = logging.getLogger(__name__)


class Stage:
    """The stage of the copy at `root`, for what comes from `source`.

    `suspect` are segments that are to be fetched once more, `damaged` those that are damaged at the source.
    """

    def __init__(self, root: Path, source: str) -> None:
        self.root, self.source = root, source
        self.folder = root / STAGE
        self.suspect: set[StoreFile] = set()
        self.damaged: set[StoreFile] = set()

    def sound(self, file: StoreFile) -> bool:
        """Whether a fetched file is what its name says; a damaged one is fetched again once, then put aside."""
        path = self.folder / file.path
        if file.kind == "quarantine":
            return True
        try:
            _check(path, file)
        except SegmentError as error:
            if file not in self.suspect:
                self.suspect.add(file)
                path.unlink()
                return False
            aside = Tree(self.root, file.node).quarantine
            aside.mkdir(mode=0o750, exist_ok=True)
            path.replace(aside / file.name)
            log.error("%s at %s is damaged (%s); it is in %s", file.path, self.source, error, aside)
            self.damaged.add(file)
        self.suspect.discard(file)
        return file not in self.damaged

    def let_in(self, files: Iterable[StoreFile]) -> None:
        """Give fetched files their places, in this order, for good; what is not there is passed over."""
        folders = set()
        for file in files:
            path, target = self.folder / file.path, self.root / file.path
            if not path.exists():
                continue
            # from now on it hides what it replaces: see `departed.py`
            os.utime(path)
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            path.replace(target)
            folders.add(target.parent)
        for folder in folders:
            sync_folder(folder)


def _check(path: Path, file: StoreFile) -> None:
    """SegmentError when a fetched file is not the one that was named."""
    if file.kind == judged.FOLDER:
        found = judged.named(path)
        if found is None:
            raise SegmentError(f"{path} is not what its name says")
        judged.sound(found)
        return
    segment = named(path)
    if segment is None or digest_of(path) != segment.digest:
        raise SegmentError(f"{path} is not what its name says")
    said = footer(segment)
    if (said.node, said.stream) != (file.node, file.folder.rpartition("/")[2]):
        raise SegmentError(f"{path} is of another node or stream")
