"""Texts that others wrote, so that they act upon no terminal and begin no line of their own."""

from __future__ import annotations

import unicodedata

#: Unicode categories that a terminal acts upon or does not show.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def plain(text: str) -> str:
    """The text with every character that a terminal acts upon, or does not show, written as an escape."""
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in _INVISIBLE else c for c in text)
