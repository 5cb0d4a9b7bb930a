"""Texts of /proc/net/rpc/nfsd to rows of int64, a thousand at a time.

The parser of `nfsd_text` takes 60 us a text, which a thousand servers cannot afford. But texts differ only in
their numbers: what remains of a text without its digits, its *skeleton*, is the same for all texts of one kernel. So
the parser reads one text of each skeleton and its *layout* is kept: where in the text each measure stands. All texts
of that skeleton are then joined, their words blanked, and their numbers read by one call of numpy.

A text is only read so if it provably gives what the parser would give: its skeleton is the layout's; the first words
of its lines are whole, so that no digit hides in one; and it has exactly as many numbers as the layout, so that every
gap of the skeleton holds one. Texts of which this is not certain go to the parser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect.lines import LARGEST, ParseError
from nasacct.collect.nfsd_text import FIXED, NfsdCounters, parse
from nasacct.store.frame import ABSENT
from nasacct.store.nfs_names import PROC2, PROC3, PROC4, PROC4OPS
from nasacct.store.schema import NFSD, OPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def _field(measure: str) -> tuple[str, int]:
    """Where a measure of NFSD stands: the line and the index in it."""
    if measure in FIXED["io"]:
        return "io", FIXED["io"].index(measure)
    if measure in FIXED:
        return measure, 0
    kind, _, name = measure.partition("_")
    return kind, FIXED[kind].index(name)


NFSD_FIELDS = tuple(_field(measure.name) for measure in NFSD.measures)
OPS_FIELDS = tuple(("proc4ops", index) for index in PROC4OPS)
PROCS_FIELDS = tuple(
    (kind, index)
    for kind, names in (("proc2", PROC2), ("proc3", PROC3), ("proc4", PROC4))
    for index in range(len(names))
)
#: Columns of a row: the measures of NFSD, those of OPS, and the number of threads.
WIDTH = NFSD.width + OPS.width + 1
THREADS = WIDTH - 1
_OP_OTHER = WIDTH - 2
_FIELDS = (*NFSD_FIELDS, *OPS_FIELDS)

_DIGITS = b"0123456789"
_WORDS = bytes.maketrans(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", b" " * 53)
#: A text whose numbers can be told by their order alone: words and numbers, one space between.
_PLAIN = re.compile(rb"(?:[A-Za-z_][A-Za-z0-9_]*(?: [0-9]+(?:\.[0-9]+)?)*\n)+")
_HOST_WIDE = re.compile(rb"(?:\nproc[234] [0-9 ]*)+")
#: Stands between two texts. No skeleton holds a minus sign, so it can be no number of a text.
_SEAM = b" -1\n"
#: More kinds of text than this in one run are no kinds; they are forgotten and learned again.
_MOST_LAYOUTS = 64


@dataclass(frozen=True, slots=True)
class _Layout:
    shape: re.Pattern[bytes]
    width: int
    take: NDArray[np.intp]
    other: NDArray[np.intp]
    beyond: bool
    counts: tuple[tuple[int, int], ...]
    unknown_fields: int


def own_lines(text: bytes) -> bytes:
    """The text without its proc2, proc3 and proc4 lines.

    On every kernel so far those count the whole host, so they change in each server's file when any server is used.
    Without them the text of an idle server stays the same, and the same text need not be read twice.
    """
    begin = text.find(b"\nproc")
    end = text.find(b"\nproc4ops ", begin)
    if begin < 0 or end < 0 or begin == end:
        return text
    if not _HOST_WIDE.fullmatch(text, begin, end):
        return text
    return text[:begin] + text[end:]


def row(counters: NfsdCounters) -> list[int]:
    """One text's row, in the order of NFSD.measures, OPS.measures, threads; absent is ABSENT."""
    numbers = counters.numbers
    values = [_pick(numbers.get(kind, ()), index) for kind, index in _FIELDS]
    ops = numbers.get("proc4ops", ())
    beyond = [*ops[: min(PROC4OPS)], *ops[max(PROC4OPS) + 1 :]]
    other = sum(beyond) if len(ops) > max(PROC4OPS) + 1 or any(beyond) else ABSENT
    return [*values, min(other, LARGEST), _pick(numbers.get("th", ()), 0)]


def procs_row(counters: NfsdCounters) -> list[int]:
    """The calls by procedure of one text, in the order of PROCS.measures without the threads."""
    return [_pick(counters.numbers.get(kind, ()), index) for kind, index in PROCS_FIELDS]


def _pick(numbers: Sequence[int], index: int) -> int:
    return numbers[index] if index < len(numbers) else ABSENT


class NfsdRows:
    """Reads many texts at once, and remembers the layouts of the kinds it met."""

    def __init__(self) -> None:
        self._layouts: dict[bytes, _Layout] = {}

    def read(self, texts: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[int, ParseError]]:
        """The rows of the texts, int64[n, WIDTH]; how many fields of each are unknown; and which are broken, and why.

        The row of a broken text is all ABSENT.
        """
        rows = np.full((len(texts), WIDTH), ABSENT, np.int64)
        unknown = np.zeros(len(texts), np.int64)
        broken: dict[int, ParseError] = {}
        alike: dict[bytes, list[int]] = {}
        for i, text in enumerate(texts):
            alike.setdefault(text.translate(None, _DIGITS), []).append(i)
        for skeleton, members in alike.items():
            layout = self._layouts.get(skeleton) or self._learn(skeleton, texts[members[0]])
            if layout is None or not self._read_alike(layout, texts, members, rows):
                for i in members:
                    try:
                        counters = parse(texts[i])
                    except ParseError as error:
                        # its traceback holds this function's frame, which holds it: memory that nothing frees soon
                        broken[i] = error.with_traceback(None)
                    else:
                        rows[i] = row(counters)
                        unknown[i] = counters.unknown_fields
            else:
                unknown[members] = layout.unknown_fields
        return rows, unknown, broken

    @staticmethod
    def _read_alike(layout: _Layout, texts: Sequence[bytes], members: list[int], rows: NDArray[np.int64]) -> bool:
        """Read the texts of one skeleton into their rows; False, and nothing done, when one of them may be broken."""
        chosen = [texts[i] for i in members]
        if not all(map(layout.shape.fullmatch, chosen)):
            return False
        joined = (_SEAM.join(chosen) + _SEAM).translate(_WORDS, b".")
        numbers = np.fromstring(joined, np.int64, sep=" ")
        if numbers.size != len(chosen) * (layout.width + 1):
            return False
        matrix = numbers.reshape(len(chosen), layout.width + 1)
        if (matrix[:, -1] != -1).any() or numbers.max() > LARGEST:
            return False
        if any((matrix[:, at] != count).any() for at, count in layout.counts):
            return False
        # what the layout lacks is taken from the seam, which is ABSENT
        found = matrix[:, layout.take]
        if layout.other.size:
            other = matrix[:, layout.other]
            if other.max() > LARGEST // layout.other.size:
                return False
            counted = layout.beyond | other.any(axis=1)
            found[:, _OP_OTHER] = np.where(counted, other.sum(axis=1), ABSENT)
        rows[members] = found
        return True

    def _learn(self, skeleton: bytes, text: bytes) -> _Layout | None:
        """The layout of the text's kind; None when the text is broken or its numbers cannot be told by their order."""
        if not _PLAIN.fullmatch(text):
            return None
        try:
            counters = parse(text)
        except ParseError:
            return None
        where: dict[tuple[str, int], int] = {}
        shape: list[bytes] = []
        counts: list[tuple[int, int]] = []
        at = 0
        for line in text[:-1].split(b"\n"):
            head, *words = line.split(b" ")
            shape.append(head + (rb" [^\n]*" if words else b""))
            at += len(re.findall(rb"[0-9]+", head))
            kind = head.decode()
            first = 0
            if kind in counters.numbers and kind not in FIXED:
                counts.append((at, int(words[0])))
                first = 1
            for i in range(first, len(words)):
                where[kind, i - first] = at + i
            at += len(words)
        none = at
        ops = len(counters.numbers.get("proc4ops", ()))
        take = [where.get(field, none) for field in _FIELDS] + [none, where.get(("th", 0), none)]
        other = [where["proc4ops", i] for i in range(ops) if i not in PROC4OPS]
        layout = _Layout(
            shape=re.compile(b"\n".join(shape) + b"\n"),
            width=at,
            take=np.array(take, np.intp),
            other=np.array(other, np.intp),
            beyond=ops > max(PROC4OPS) + 1,
            counts=tuple(counts),
            unknown_fields=counters.unknown_fields,
        )
        if len(self._layouts) >= _MOST_LAYOUTS:
            self._layouts.clear()
        self._layouts[skeleton] = layout
        return layout
