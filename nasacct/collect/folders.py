"""Directories that may not exist yet, go and come back: what changes in them, by inotify.

As long as a wanted directory does not exist, its nearest existing ancestor is watched for the next step of the path.
"""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from nasacct.collect import inotify
from nasacct.collect.inotify import Inotify

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nasacct.collect.inotify import Happening

log = logging.getLogger(__name__)

_COME = inotify.IN_CREATE | inotify.IN_MOVED_TO
_SELF = inotify.IN_DELETE_SELF | inotify.IN_MOVE_SELF | inotify.IN_MASK_ADD
_INSIDE = _COME | inotify.IN_DELETE | inotify.IN_MOVED_FROM | inotify.IN_CLOSE_WRITE


class Folders:
    """Watches the `wanted` directories, and below those of `nested` each subdirectory for files named in `files`."""

    def __init__(
        self, wanted: Sequence[str], nested: Collection[str] = (), files: Collection[str] = frozenset()
    ) -> None:
        self._inotify = Inotify()
        self._wanted, self._nested, self._files = tuple(wanted), frozenset(nested), frozenset(files)
        self._path: dict[int, str] = {}
        self._number: dict[str, int] = {}
        self._full = False
        self.arm()

    def fileno(self) -> int:
        """Readable when something changed."""
        return self._inotify.fileno()

    def changes(self) -> set[str] | None:
        """The paths that came, went or changed since the last call: wanted directories and what is directly in them.

        None when events were lost: then anything may have changed.
        """
        changed: set[str] = set()
        lost = False
        for happening in self._inotify.read():
            if happening.mask & inotify.IN_Q_OVERFLOW:
                lost = True
            else:
                self._take(happening, changed)
        if lost:
            for path in self._wanted:
                self._arm(path, anew=True)
            return None
        return changed

    def arm(self) -> None:
        """Watch everything that is to be watched and is not, also where a directory took another one's place."""
        for path in self._wanted:
            self._arm(path)

    def close(self) -> None:
        """End all watches."""
        self._inotify.close()

    def _take(self, happening: Happening, changed: set[str]) -> None:
        path = self._path.get(happening.wd)
        if path is None:
            return
        gone = happening.mask & (inotify.IN_IGNORED | inotify.IN_MOVE_SELF)
        if gone:
            self._forget(happening.wd)
        if str(Path(path).parent) in self._nested:
            if gone or happening.name in self._files:
                changed.add(path)
            return
        if path in self._wanted:
            changed.add(f"{path}/{happening.name}" if happening.name else path)
            if path in self._nested and happening.mask & _COME and happening.mask & inotify.IN_ISDIR:
                self._add(f"{path}/{happening.name}", _INSIDE)
        for wanted in self._wanted:
            within = path.rstrip("/")
            went = gone and f"{wanted}/".startswith(f"{within}/")
            step_came = happening.mask & _COME and f"{wanted}/".startswith(f"{within}/{happening.name}/")
            if (went or step_came) and (self._arm(wanted) or wanted == path):
                changed.add(wanted)

    def _arm(self, wanted: str, *, anew: bool = False) -> bool:
        """Watch the directory or what will show its coming; whether it is there.

        What is in it is gone through if the directory is another one than before, or `anew`.
        """
        before = self._number.get(wanted)
        while not self._add(wanted, _INSIDE):
            step = Path(wanted)
            while not self._add(str(step.parent), _COME) and step.parent != step:
                step = step.parent
            # it may have come between the two attempts
            if not step.is_dir():
                return False
        if wanted in self._nested and (anew or before is None or self._number.get(wanted) != before):
            try:
                inside = [entry.path for entry in os.scandir(wanted) if entry.is_dir()]
            except OSError:
                return True
            for path in inside:
                self._add(path, _INSIDE)
        return True

    def _add(self, path: str, mask: int) -> bool:
        """Watch a directory; False when there is none. One that cannot be watched is left to the next full look."""
        try:
            number = self._inotify.add(path, mask | _SELF)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as err:
            if not self._full:
                mend = "; raise fs.inotify.max_user_watches" if err.errno == errno.ENOSPC else ""
                log.warning("%s cannot be watched (%s)%s; changes are seen late", path, err.strerror, mend)
            self._full = True
            return True
        old = self._number.get(path)
        if old is not None and old != number:
            self._inotify.remove(old)
            self._path.pop(old, None)
        self._number[path], self._path[number] = number, path
        return True

    def _forget(self, number: int) -> None:
        self._inotify.remove(number)
        path = self._path.pop(number, None)
        if path is not None and self._number.get(path) == number:
            del self._number[path]
