"""What a bench takes down, and how it measures one step."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from nasacct.store.frame import Subject


class NotDoneError(RuntimeError):
    """A method did not do the work it was measured for; its figure would be worth nothing."""


@dataclass(slots=True)
class Taken:
    """CPU time in ns of every round, by method; where the time of a cycle went; what else there is to tell."""

    cpu: dict[str, list[float]] = field(default_factory=dict)
    parts: dict[str, list[dict[str, int]]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, what: str, nanoseconds: float) -> None:
        """One more measurement."""
        self.cpu.setdefault(what, []).append(nanoseconds)


def timed(do: Callable[[], object]) -> int:
    """The CPU time in ns that a step takes of this process."""
    began = time.process_time_ns()
    do()
    return time.process_time_ns() - began


def counter() -> Callable[[Subject], int]:
    """What admits subjects, in the order in which they come."""
    given = 0

    def admit(subject: Subject) -> int:
        nonlocal given
        given += 1
        subject.sid = given
        return given

    return admit
