"""Lines of JSON, each with a sum of its own, so that no bit which flips says something else.

The sum is the first 8 hexadecimal digits of the sha256 of the rest of the line, with its keys in order and without
blanks.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def line(said: Mapping[str, object]) -> str:
    """It as a line without a sum, as a file's first one is."""
    return json.dumps(said, separators=(",", ":"), sort_keys=True)


def with_sum(said: Mapping[str, object]) -> str:
    """It as a line with its sum."""
    return line({**said, "sum": _sum(said)})


def decoded(text: str) -> dict[str, Any]:
    """What a line with a sum says, without it; ValueError, KeyError, TypeError, AttributeError when it is none."""
    said: dict[str, Any] = json.loads(text)
    if said.pop("sum") != _sum(said):
        raise ValueError("its sum is wrong")
    return said


def _sum(said: Mapping[str, object]) -> str:
    return hashlib.sha256(line(said).encode()).hexdigest()[:8]
