"""Real texts of /proc/net/rpc/nfsd, one a server, whose numbers grow.

Each begins as the text of a real kernel with its numbers multiplied, so that busy servers have long numbers and what
was 0 stays 0. What a kernel counts for the whole host is the same in every text and changes in all of them as soon as
one server does anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

#: Lines that count the whole host, and those whose first number tells how many follow.
_HOST_WIDE = (b"proc2", b"proc3", b"proc4")
_COUNTED = (*_HOST_WIDE, b"proc4ops")
#: The line of the threads, which do not change.
_STILL = (b"th",)


class NfsdTexts:
    """`texts` has the present text of each of `count` servers. Raises OSError when `template` cannot be read."""

    def __init__(self, template: Path, count: int) -> None:
        self._lines = [line.split(b" ") for line in template.read_bytes().splitlines() if line]
        factors = 1 + np.arange(count, dtype=np.int64) * 37 % 997
        self._numbers = [_numbers(line) for line in self._lines]
        # a hundredth of what the real server did in its life
        self._grown = [(n > 0) * (1 + n // 100) for n in self._numbers]
        self._own = [self._factored(i, factors) for i in range(len(self._lines))]
        kept = [len(line) - len(n) for line, n in zip(self._lines, self._numbers, strict=True)]
        self._heads = [b" ".join(line[:n]) for line, n in zip(self._lines, kept, strict=True)]
        self.texts: list[bytes] = []
        self._write()

    def change(self, which: Iterable[int]) -> None:
        """Let these servers be used, and the others not."""
        chosen = np.fromiter(which, np.intp)
        for line, grown, own in zip(self._lines, self._grown, self._own, strict=True):
            if line[0] in _HOST_WIDE:
                own[:] = own + grown * len(chosen)
            elif line[0] not in _STILL:
                own[chosen] = own[chosen] + grown
        self._write()

    def _factored(self, i: int, factors: NDArray[np.int64]) -> NDArray[np.int64]:
        kind, numbers = self._lines[i][0], self._numbers[i]
        if kind in _STILL:
            by = np.ones_like(factors)
        else:
            by = np.full_like(factors, factors.sum()) if kind in _HOST_WIDE else factors
        own: NDArray[np.int64] = np.multiply.outer(by, numbers)
        return own

    def _write(self) -> None:
        columns = [own.tolist() for own in self._own]
        self.texts = [
            b"".join(
                head + b"".join(b" %d" % n for n in column[server]) + b"\n"
                for head, column in zip(self._heads, columns, strict=True)
            )
            for server in range(len(self._own[0]))
        ]


def _numbers(line: list[bytes]) -> NDArray[np.int64]:
    """The numbers of a line that grow; none of a line with decimals."""
    words = line[2:] if line[0] in _COUNTED else line[1:]
    if any(b"." in word for word in words):
        words = []
    return np.array([int(word) for word in words], np.int64)
