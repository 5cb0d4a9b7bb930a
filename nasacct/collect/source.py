"""What a source is to the sampler: it reads one thing in each cycle, and may say more of how it wants to be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Collection

    from nasacct.collect.machine import Listing, Machine, Server
    from nasacct.store.frame import Batch


class Source(Protocol):
    """One thing that is read each cycle."""

    name: str

    def read(self, machine: Machine, listing: Listing) -> Batch:
        """Read everything once; what fails for one subject goes to `Batch.failed`."""
        ...


@runtime_checkable
class OneByOne(Protocol):
    """A source that reads server by server and can go on without one of them.

    A second `read` makes the first one, when it comes back, end in an error without a trace.
    """

    name: str

    @property
    def reading(self) -> Server | None:
        """The server that is being read right now."""
        ...

    def read(self, machine: Machine, listing: Listing, skip: Collection[str] = ...) -> Batch:
        """Read every server but those of the epochs in `skip`."""
        ...


@runtime_checkable
class Paced(Protocol):
    """A source that is not read in every cycle."""

    pace_s: float


@runtime_checkable
class Unhurried(Protocol):
    """A source for which no cycle waits: what it brings is taken in the cycle that finds it there."""

    unhurried: bool


@runtime_checkable
class Closable(Protocol):
    """A source that keeps something open."""

    def close(self) -> None:
        """Let everything go."""
        ...


@runtime_checkable
class Dispensable(Protocol):
    """A source without which all others go on: it is closed when it takes too much CPU time."""

    optional: bool

    def close(self) -> None:
        """Let everything go."""
        ...
