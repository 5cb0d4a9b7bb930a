"""Lines of plain text: paragraphs, bullets and columns that are told as they stand, without a terminal's help."""

from __future__ import annotations

import re
from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WIDTH = 100
#: A number and its unit.
_UNIT = re.compile(r"(\d) (%|[kMGTPE]?B(?:/s)?|[kMG]?bit/s|ms|us|s|min|h|d)(?=[\s,;\])]|$)")


def section(title: str, lines: Sequence[str]) -> str:
    """Lines below their title; nothing where there are none."""
    return "\n".join([title, *lines]) if lines else ""


def bullets(sentences: Iterable[str]) -> list[str]:
    """A bullet for each sentence."""
    return [line for each in sentences for line in wrapped(each, "  - ", "    ")]


def indented(sentence: str) -> list[str]:
    """A sentence below what it is about."""
    return wrapped(sentence, "  ", "    ")


def wrapped(sentence: str, first: str = "", later: str = "") -> list[str]:
    """Lines, none of which begins with the unit of a number in the one before."""
    whole = _UNIT.sub("\\1\u00a0\\2", sentence)
    return [line.replace("\u00a0", " ") for line in wrap(whole, _WIDTH, initial_indent=first, subsequent_indent=later)]


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines in which each column is as wide as its widest cell; the first one and HOW stand to the left."""
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if at == 0 or rows[0][at] == "HOW" else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines
