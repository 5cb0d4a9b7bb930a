"""The text of /proc/pressure/io (PSI): how long tasks waited for the disks (Documentation/accounting/psi.rst).

    some avg10=6.84 avg60=4.81 avg300=2.03 total=7672458
    full avg10=6.56 avg60=4.65 avg300=1.96 total=7443764

`some`: at least one task waited; `full`: all that could have run did. Averages are per cent of the last 10, 60 and 300
seconds, the total is in microseconds since boot. Kernels before 4.20 have no such file, others refuse it (EOPNOTSUPP)
until booted with psi=1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasacct.collect.lines import ParseError, fields, lines, number

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH = "proc/pressure/io"
KINDS = ("some", "full")
_AVERAGES = ("avg10", "avg60", "avg300")
_DECIMAL = re.compile(r"[0-9]{1,3}\.[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pressure:
    """The text, understood: by kind the averages (per cent) and `total_us`; what is not known is kept out."""

    waits: Mapping[str, Mapping[str, float | int]]
    unknown: tuple[str, ...] = ()

    def total_us(self, kind: str) -> int | None:
        """How long since boot, None when there is no such line."""
        wait = self.waits.get(kind)
        return None if wait is None else int(wait["total_us"])


def parse(text: bytes | str) -> Pressure:
    """Understand the whole text. Raises ParseError where that would need a guess."""
    waits: dict[str, dict[str, float | int]] = {}
    unknown: list[str] = []
    for line_no, line in enumerate(lines(text), 1):
        words = fields(line)
        if not words:
            continue
        if words[0] not in KINDS:
            unknown.append(line)
            continue
        if words[0] in waits:
            raise ParseError(line_no, f"a second {words[0]} line")
        wait = waits[words[0]] = {}
        for word in words[1:]:
            name, sign, value = word.partition("=")
            if not sign:
                raise ParseError(line_no, f"{word!r} is no name=value")
            if name in wait or (name == "total" and "total_us" in wait):
                raise ParseError(line_no, f"a second {name}")
            if name in _AVERAGES:
                if not _DECIMAL.fullmatch(value):
                    raise ParseError(line_no, f"{value!r} is no percentage")
                wait[name] = float(value)
            elif name == "total":
                wait["total_us"] = number(value, line_no)
            else:
                unknown.append(word)
        if "total_us" not in wait:
            raise ParseError(line_no, f"{words[0]} has no total: the line was cut")
    if not waits:
        raise ParseError(1, "no line begins with some or full")
    return Pressure(waits, tuple(unknown))


def as_json(pressure: Pressure) -> dict[str, Any]:
    """`{"some": {"avg10": 6.84, ..., "total_us": 7672458}, "full": {...}, "unknown": []}`."""
    return {**{kind: dict(wait) for kind, wait in pressure.waits.items()}, "unknown": list(pressure.unknown)}
