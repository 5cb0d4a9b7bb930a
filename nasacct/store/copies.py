"""Copies: a node's tree that was pulled from another store says so in node=N/pulled.json.

    {"from": "nas1:/tank/nasacct", "at": "2026-11-23T13:34:08Z"}

Only `nasacct pull` writes into such a tree. `at` is when the newest round began after which the copy had all that the
source had then; null: there was none yet.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from nasacct.errors import DATA, NasacctError
from nasacct.times import iso

if TYPE_CHECKING:
    from pathlib import Path

MARK = "pulled.json"
#: The folder of a tree for what the source lost, and the root's for files that are being fetched.
GONE, STAGE = "gone", ".pull"


@dataclass(frozen=True, slots=True)
class Copied:
    """From where a tree is copied, and as of when (UTC) it is whole."""

    source: str
    at: datetime | None

    def encode(self) -> bytes:
        """The content of pulled.json."""
        return json.dumps({"from": self.source, "at": iso(self.at) if self.at else None}).encode() + b"\n"


def copied(tree: Path) -> Copied | None:
    """What the tree's folder says of its origin; None when it is no copy. NasacctError when that cannot be read."""
    try:
        said = json.loads((tree / MARK).read_bytes())
        return Copied(str(said["from"]), datetime.fromisoformat(said["at"]) if said["at"] else None)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NasacctError(
            f"{tree / MARK} cannot be read ({error}); it says from where this copy is pulled: write it anew as "
            '{"from": "HOST:ROOT", "at": null}',
            DATA,
        ) from None


def refuse(tree: Path, role: str) -> None:
    """NasacctError when the tree is a copy: the collector's and the keeper's work is done where it comes from."""
    found = copied(tree)
    if found is not None:
        raise NasacctError(
            f"{tree} is a copy of {found.source}, in which only `nasacct pull` writes; run `nasacct {role}` there, or "
            "name another --root",
            DATA,
        )
