"""Striking clients out of the bytes of a journal file: their births, their rows, their numbers in it.

Everything else stays as it was read, to the byte. A stretch that is damaged becomes one that holds nothing, so that a
reader still knows that something was lost there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasacct.store import journal_rows
from nasacct.store.addresses import OF_CLIENTS, TELLING
from nasacct.store.journal import JournalError
from nasacct.store.journal_frames import FRAME, HEADER, LENGTH, MAGIC, DamagedError, pack, unpack

if TYPE_CHECKING:
    from nasacct.store.strikes import Struck

#: What stands for a damaged stretch: the beginning of a frame that is longer than any.
_DAMAGED = b"\xff" * FRAME.size


def without(data: bytes, what: Struck, *, rows: bool = True) -> bytes:
    """A journal file without what is to go; without `rows`, only addresses go, and what was read of them stays.

    JournalError when its head cannot be read.
    """
    if not data.startswith(MAGIC):
        raise JournalError("it does not begin as a journal does")
    made = [MAGIC]
    offset = len(MAGIC)
    striking = _Striking(what, rows=rows)
    while offset < len(data):
        try:
            header, parts, end = unpack(data, offset)
        except DamagedError as error:
            if len(made) == 1:
                raise JournalError(str(error)) from None
            found = data.find(HEADER, offset + FRAME.size + LENGTH.size + 1)
            end = len(data) if found < 0 else found - FRAME.size - LENGTH.size
            made.append(_DAMAGED[: end - offset])
        else:
            made.append(striking.frame(header, parts))
        offset = end
    return b"".join(made)


def head(data: bytes) -> bytes:
    """The same file without its frames. JournalError when its head cannot be read."""
    try:
        _, _, end = unpack(data, len(MAGIC))
    except DamagedError as error:
        raise JournalError(str(error)) from None
    return data[:end]


class _Striking:
    """Goes through the frames of a file in their order."""

    def __init__(self, what: Struck, *, rows: bool) -> None:
        self._what, self._rows = what, rows
        self._gone: set[int] = set()
        self._head: dict[str, Any] = {}

    def frame(self, header: dict[str, Any], parts: memoryview) -> bytes:
        """The head, or a frame after it, packed again."""
        if not self._head:
            self._head = header
            header["subjects"] = self._subjects(header["subjects"])
            header["rows"], pieces = self._streams(header["rows"], parts, carry=True)
            return pack(header, pieces)
        header["births"] = self._subjects(header["births"])
        pieces = []
        for batch in header["batches"]:
            batch["ended"] = [sid for sid in batch["ended"] if sid not in self._gone]
            missed = {why: [s for s in sids if s not in self._gone] for why, sids in batch["missed"].items()}
            batch["missed"] = {why: sids for why, sids in missed.items() if sids}
            size = sum(entry[1] for entry in batch["rows"])
            batch["rows"], found = self._streams(batch["rows"], parts[:size], carry=False)
            parts = parts[size:]
            pieces += found
        return pack(header, pieces)

    def _subjects(self, subjects: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those that stay; a client that is to go loses its address at least."""
        stay = []
        for subject in subjects:
            client = subject["keys"].get("client")
            if subject["source"] in TELLING and self._what.takes(client, subject["epoch"]):
                subject["about"].pop("address", None)
                if self._rows:
                    self._gone.add(subject["sid"])
                    continue
            stay.append(subject)
        return stay

    def _streams(
        self, entries: list[list[Any]], parts: memoryview, *, carry: bool
    ) -> tuple[list[list[Any]], list[memoryview]]:
        """The rows of each stream without those that go, and what the header says of them."""
        said: list[list[Any]] = []
        pieces: list[memoryview] = []
        for name, size, *final in entries:
            part, parts = parts[:size], parts[size:]
            data = self._left(name, part, carry=carry) if name in OF_CLIENTS and self._gone else [part]
            if data:
                said.append([name, sum(map(len, data)), *final])
                pieces += data
        return said, pieces

    def _left(self, name: str, part: memoryview, *, carry: bool) -> list[memoryview]:
        width, version = len(self._head["measures"][name]), self._head["nasacct_journal"]
        sids, *rest = journal_rows.as_written(part, width, carry=carry, version=version)
        stays = ~np.isin(sids, list(self._gone))
        if stays.all():
            return [part]
        return journal_rows.encode(sids[stays], *(each[stays] for each in rest)) if stays.any() else []
