"""What ZFS's pools are asked: `zpool status`, of each that answers, by one program at a time.

A program may wait as long as a pool does. So no cycle waits for who asks here (`source.Unhurried`), and `pools.py`
looks first whether a pool answers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nasacct.collect import pools, zpool_status
from nasacct.collect.lines import ParseError
from nasacct.collect.program import Program

if TYPE_CHECKING:
    from pathlib import Path

    from nasacct.collect.zpool_text import Pool

#: How a program says that it does not know an option (getopt in ZFS's commands).
_UNKNOWN = "invalid option"


class Zpool:
    """Asks for the pools; `runs` is the program that is run instead of `zpool`."""

    def __init__(self, runs: str | None = None, kstats: Path = pools.KSTATS) -> None:
        self._program, self._kstats = Program("zpool", runs), kstats
        self._arguments: tuple[str, ...] = zpool_status.ARGUMENTS

    @property
    def cpu_us(self) -> int:
        """What the program has taken in all its runs."""
        return self._program.cpu_us

    def status(self) -> tuple[list[Pool], list[str]]:
        """The pools, each with a guid or at least its name for one, and what could not be had.

        None where there is no ZFS, or nobody has imported a pool.
        """
        try:
            stands = pools.look(self._kstats)
        except OSError:
            return [], []
        notes = [why for why in stands.values() if why]
        asked = [name for name, why in stands.items() if not why]
        if not asked:
            return [], notes
        guids = pools.guids(self._kstats)
        try:
            text, complaints = self._ask(asked)
            found = zpool_status.parse(text) if text else []
        except (OSError, ParseError) as error:
            return [], [*notes, f"zpool status: {error}"]
        met = [replace(pool, guid=pool.guid or guids.get(pool.name, pool.name)) for pool in found]
        missing = sorted(set(asked) - {pool.name for pool in found}) if not complaints else []
        return met, [*notes, *complaints[:3], *(f"zpool status says nothing of {name}" for name in missing)]

    def close(self) -> None:
        """End the program, if it runs."""
        self._program.close()

    def _ask(self, asked: list[str]) -> tuple[bytes, list[str]]:
        """What it prints; as text for people where it knows no JSON. Raises OSError."""
        text, complaints = self._program.run(*self._arguments, *asked)
        if self._arguments != zpool_status.OF_OLD and any(_UNKNOWN in line for line in complaints):
            self._arguments = zpool_status.OF_OLD
            text, complaints = self._program.run(*self._arguments, *asked)
        return text, complaints
