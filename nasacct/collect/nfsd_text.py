"""The text of /proc/net/rpc/nfsd: what it looks like and what each line means.

Printed by nfsd_show (fs/nfsd/stats.c) and svc_seq_show (net/sunrpc/stats.c). On Linux 6.12, lines cut here with `...`:

    rc 0 0 10612                       reply cache: hits, misses, not cached; their sum is all dispatched calls
    fh 0 0 0 0 0                       stale file handles; the other four are counted by no kernel
    io 98172928 9338880                bytes read by clients, bytes written by them (payload of READ and WRITE)
    th 24 0 0.000 0.000 ...            running threads, of the whole host; the rest has been dead since 2.6.30
    ra 0 0 0 0 ...                     read-ahead cache: size, found in each tenth of it, not found; dead since 5.4
    net 10614 0 10612 4                messages received, of them UDP, TCP; TCP connections accepted
    rpc 10612 0 0 0 0                  calls, bad calls = bad format + bad authentication + bad client
    proc2 18 0 0 ...                   calls of NFSv2 by procedure: their count, then as many numbers
    proc3 22 0 0 ...                   the same of NFSv3
    proc4 2 4 12345                    NULL and COMPOUND of NFSv4
    proc4ops 76 0 0 0 4 ...            operations inside the COMPOUNDs; 0, 1 and 2 are unused
    wdeleg_getattr 0                   write delegations recalled by another client's GETATTR (since 6.6)

Lines are found by their first word. Lines that a kernel does not print are absent, never 0; lines and fields that are
not known here are kept out and counted. A known line that does not hold what it must is an error, never a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasacct.collect.lines import ParseError, fields, lines, number
from nasacct.store.nfs_names import PROC2, PROC3, PROC4, PROC4OPS

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The named numbers of the lines whose length does not vary.
FIXED: Mapping[str, tuple[str, ...]] = {
    "rc": ("hits", "misses", "nocache"),
    "fh": ("stale",),
    "io": ("read_bytes", "written_bytes"),
    "th": ("threads",),
    "ra": ("size", *(f"found_{tenth}0pct" for tenth in range(1, 11)), "not_found"),
    "net": ("packets", "udp", "tcp", "tcp_connections"),
    "rpc": ("calls", "bad_calls", "bad_format", "bad_auth", "bad_client"),
    "wdeleg_getattr": ("recalled",),
}
#: How many numbers, some of them decimals, follow the named ones without meaning anything any more.
DEAD: Mapping[str, int] = {"fh": 4, "th": 11}
#: The operations of the lines that begin with a count, by their index.
COUNTED: Mapping[str, Mapping[int, str]] = {
    "proc2": dict(enumerate(PROC2)),
    "proc3": dict(enumerate(PROC3)),
    "proc4": dict(enumerate(PROC4)),
    "proc4ops": PROC4OPS,
}
#: proc4ops has numbers for these operations though no NFSv4 operation has these numbers.
UNUSED_OPS = range(3)

_DECIMAL = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class NfsdCounters:
    """One text, understood. `numbers` has the numbers of each known line (of proc lines those after the count)."""

    numbers: Mapping[str, tuple[int, ...]]
    #: Lines that begin with no known word.
    unknown: tuple[str, ...] = ()
    #: Fields after all the known ones of a known line.
    extra: int = 0

    @property
    def unknown_fields(self) -> int:
        """How much of the text was kept out: lines, surplus fields, and procedures that have no name."""
        unnamed = (len(self.numbers.get(kind, ())) - len(COUNTED[kind]) for kind in ("proc2", "proc3", "proc4"))
        return len(self.unknown) + self.extra + sum(max(count, 0) for count in unnamed)


def parse(text: bytes | str) -> NfsdCounters:
    """Understand the whole text. Raises ParseError where that would need a guess."""
    numbers: dict[str, tuple[int, ...]] = {}
    unknown: list[str] = []
    extra = 0
    for line_no, line in enumerate(lines(text), 1):
        words = fields(line)
        if not words:
            continue
        kind = words[0]
        if not line.startswith(kind) or (kind not in FIXED and kind not in COUNTED):
            unknown.append(line)
            continue
        if kind in numbers:
            raise ParseError(line_no, f"a second {kind} line")
        if kind in FIXED:
            numbers[kind] = _fixed(kind, words[1:], line_no)
            extra += max(len(words) - 1 - len(FIXED[kind]) - DEAD.get(kind, 0), 0)
        else:
            numbers[kind] = _counted(kind, words[1:], line_no)
    if not numbers:
        raise ParseError(1, f"no line begins with a word of an nfsd file ({', '.join([*FIXED, *COUNTED])})")
    return NfsdCounters(numbers, tuple(unknown), extra)


def _fixed(kind: str, words: list[str], line_no: int) -> tuple[int, ...]:
    names = FIXED[kind]
    if len(words) < len(names):
        raise ParseError(line_no, f"{kind} has {len(words)} numbers and needs {len(names)}: the line was cut")
    for word in words[len(names) :]:
        if not _DECIMAL.fullmatch(word):
            raise ParseError(line_no, f"{word!r} is not a number")
    return tuple(number(word, line_no) for word in words[: len(names)])


def _counted(kind: str, words: list[str], line_no: int) -> tuple[int, ...]:
    if not words:
        raise ParseError(line_no, f"{kind} has no count: the line was cut")
    count, *values = (number(word, line_no) for word in words)
    if count != len(values):
        raise ParseError(line_no, f"{kind} announces {count} numbers and has {len(values)}")
    return tuple(values)


def as_json(counters: NfsdCounters) -> dict[str, Any]:
    """The counters by name: `{"rc": {"hits": 0, ...}, ..., "proc3": {"null": 0, ...}, "unknown": [...]}`.

    A procedure or operation beyond the table is `op_<index>`; the unused NFSv4 operations show only if they count.
    """
    named: dict[str, Any] = {}
    for kind, values in counters.numbers.items():
        if kind in FIXED:
            named[kind] = dict(zip(FIXED[kind], values, strict=True))
            continue
        names = COUNTED[kind]
        named[kind] = {
            names.get(index, f"op_{index}"): value
            for index, value in enumerate(values)
            if index in names or index > max(names) or value
        }
    named["unknown"] = list(counters.unknown)
    return named
