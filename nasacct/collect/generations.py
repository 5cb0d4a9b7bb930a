"""Generations of one histogram: entries cannot be taken out one by one, so a full one is followed by another one."""

from __future__ import annotations

import errno
import secrets
from typing import TYPE_CHECKING

from nasacct.collect.tracing import room

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nasacct.collect.tracing import Counting, Section

#: A generation that is fuller than this (of 100) is replaced.
FULL = 70


class Generations:
    """The histogram `counting`, of which the newest generation is read. `begun`: there is one."""

    def __init__(self, counting: Counting, name: str) -> None:
        # names of histograms are the whole kernel's
        self._counting, self.prefix = counting, f"{name}_{secrets.token_hex(4)}"
        self._number = self._size = 0
        self.begun = False

    @property
    def name(self) -> str:
        """What tells the newest generation from all that were or will be."""
        return f"{self.prefix}_{self._number}"

    def begin(self, servers: int) -> None:
        """Count in a new one, with room for so many servers; one that is there counts on. Raises OSError."""
        size = room(servers)
        self._counting.begin(f"{self.prefix}_{self._number + 1}", size)
        self._number, self._size, self.begun = self._number + 1, size, True

    def read(self) -> Section:
        """What the newest one counts now. Raises OSError, and counts no more when somebody has removed it."""
        return self.newest(self.all())

    def all(self) -> dict[str, Section]:
        """What every one counts now, by name. Raises OSError."""
        return self._counting.read()

    def newest(self, found: Mapping[str, Section]) -> Section:
        """The newest of them. Raises OSError as `read`."""
        section = found.get(self.name)
        if section is None:
            self.close()
            raise FileNotFoundError(errno.ENOENT, "the kernel's histogram is gone; it will be made anew")
        return section

    def crowded(self, section: Section) -> bool:
        """Whether the newest one has little room left."""
        return section.entries * 100 > FULL * self._size

    def remove(self, name: str) -> None:
        """Stop counting in that one. Raises OSError."""
        self._counting.remove(name)

    def close(self) -> None:
        """Count no more, and leave nothing behind."""
        self._counting.close()
        self.begun = False
