"""Histograms of a fleet, as the kernel prints them: so many servers, of which some go on before the next reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasacct.collect.tracing import Section, sections

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: What a server is asked for: every other one by NFSv4, the others by NFSv3.
V4 = ("NULL", "COMPOUND")
V3 = (*"NULL GETATTR SETATTR LOOKUP ACCESS READ WRITE CREATE REMOVE READDIRPLUS FSSTAT COMMIT".split(), "GETACL")
#: Powers of two in which calls fall.
POWERS = tuple(f"~ 2^{power}" for power in range(5, 19))


class Printed:
    """A `Counting` whose text is made before it is read. `keys` are those of each namespace, by its inode."""

    def __init__(self, label: str, keys: Mapping[int, Sequence[str]]) -> None:
        self._label = label
        self._counts = {inode: dict.fromkeys(some, 1) for inode, some in keys.items()}
        self._name = ""
        self._text = b""

    def begin(self, name: str, size: int) -> None:
        """Count under that name, with more room than is needed."""
        if size < self.go_on(()):
            raise OSError(f"{size} entries are too few")
        self._name = name
        self.go_on(())

    def go_on(self, inodes: Iterable[int]) -> int:
        """Let these namespaces answer calls, and print everything; how many lines that are."""
        for inode in inodes:
            for key in self._counts[inode]:
                self._counts[inode][key] += 3
        time = "  execute: {:>10}" if self._label == "procedure" else ""
        lines = [
            f"{{ netns_ino: {inode}, {self._label}: {key:<50} }} hitcount: {hits:>10}{time.format(hits * 217)}"
            for inode, counts in self._counts.items()
            for key, hits in counts.items()
        ]
        head = f"# event histogram\n#\n# trigger info: hist:name={self._name}:keys=netns_ino,{self._label} [active]\n"
        totals = f"\n\nTotals:\n    Hits: {len(lines)}\n    Entries: {len(lines)}\n    Dropped: 0\n"
        self._text = (head + "\n".join(lines) + totals).encode()
        return len(lines)

    def read(self) -> dict[str, Section]:
        """What was printed, understood."""
        return sections(self._text)

    def remove(self, name: str) -> None:
        """There is one generation only."""

    def close(self) -> None:
        """There is nothing to leave."""
