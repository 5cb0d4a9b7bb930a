"""One thing that `nasacct doctor` looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at and what came of it.

    `state`: ok; note (worth knowing, nothing is lost by it); missing (answers will lack something, `mend` says what to
    do). `reads` and `needs` are of sources: what they read, and which permission that takes.
    """

    area: Literal["source", "counter", "machine", "store"]
    name: str
    state: State
    found: str
    mend: str = ""
    reads: str = ""
    needs: str = ""
