"""What a check found wrong with a store: which file, what kind of fault, and a sentence for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: its `kind` in a word, the file or folder it lies in, and what is wrong, without the path."""

    kind: str
    path: Path
    sentence: str

    def __str__(self) -> str:
        return f"{self.path} {self.sentence}"
