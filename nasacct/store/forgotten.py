"""Who was forgotten: a member's number and when, nothing else of them.

    ROOT/forgotten.jsonl

First `{"nasacct_forgotten": 1}`, then a line for each time, in the order in which it was done:
`{"member": "1001", "at": "2026-11-27T15:00:00Z", "is": "forgotten", "sum": "1f0c2a77"}`. `remembered` says that
somebody wants them known again. The sum is that of `summed.py`. So nobody who is forgotten
comes back unasked.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nasacct.errors import DATA, NasacctError
from nasacct.store import summed
from nasacct.store.root import write_atomically
from nasacct.times import iso

if TYPE_CHECKING:
    from pathlib import Path

#: The version of the file, and its name.
FORMAT = 1
FILE = "forgotten.jsonl"
_KEY = "nasacct_forgotten"
_FORGOTTEN, _REMEMBERED = "forgotten", "remembered"


def read(root: Path) -> dict[str, datetime]:
    """The members that are forgotten, and when each was, the last time.

    NasacctError when the file is damaged or of a newer version: somebody would come back unasked. OSError.
    """
    found: dict[str, datetime] = {}
    for said in _read(root / FILE):
        if said["is"] == _FORGOTTEN:
            found[said["member"]] = datetime.fromisoformat(said["at"])
        else:
            found.pop(said["member"], None)
    return found


def note(root: Path, member: str, at: datetime, *, remembered: bool = False) -> None:
    """Add that a member is forgotten, or wanted again. For the holder of the inventory's lock. As `read`."""
    before = _read(root / FILE)
    said = {"member": member, "at": iso(at), "is": _REMEMBERED if remembered else _FORGOTTEN}
    lines = [summed.line({_KEY: FORMAT}), *(summed.with_sum(each) for each in (*before, said))]
    write_atomically(root / FILE, "".join(f"{line}\n" for line in lines).encode())


def _read(path: Path) -> list[dict[str, str]]:
    try:
        head, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    except FileNotFoundError:
        return []
    try:
        version = json.loads(head)[_KEY]
        found = [_decoded(line) for line in lines] if version == FORMAT else []
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NasacctError(
            f"{path} is damaged; it says who must not come back: bring it back from a copy", DATA
        ) from None
    if version != FORMAT:
        raise NasacctError(f"{path} is of version {version}, this nasacct knows {FORMAT}; update it", DATA)
    return found


def _decoded(line: str) -> dict[str, str]:
    said = summed.decoded(line)
    if said["is"] not in (_FORGOTTEN, _REMEMBERED):
        raise ValueError("it says neither")
    datetime.fromisoformat(said["at"]).astimezone(UTC)
    return {name: said[name] for name in ("member", "at", "is")}
