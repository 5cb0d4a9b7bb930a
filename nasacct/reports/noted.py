"""What was noted, on the grid of a scene: those samples are kept out of what is learnt to be normal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from nasacct.reports.attribution.scene import STEP_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nasacct.reports.attribution.scene import Flags
    from nasacct.store.notes import Note

_STEP_US = STEP_S * 1_000_000


class Samples(Protocol):
    """A scene, or facts: samples from a Unix time on."""

    @property
    def start(self) -> int: ...  # noqa: D102

    def __len__(self) -> int: ...


def noted(seen: Samples, notes: Iterable[Note]) -> Flags:
    """Of each sample, whether any of the notes touches it; of a moment, the sample in which it lies.

    Which notes are of these samples' pool, and hold, is for who reads them to say (`store/notes.py`).
    """
    found = np.zeros(len(seen), bool)
    start_us = 1_000_000 * seen.start
    for note in notes:
        first, end = (note.since - start_us) // _STEP_US, -((start_us - note.end) // _STEP_US)
        found[max(first, 0) : max(end, 0)] = True
    return found
