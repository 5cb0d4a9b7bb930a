"""A dossier: what is said of some minutes of a pool, with every number it rests on.

Shares and blame are of the disk time, from 0 to 1; `_lo` and `_hi` bound where nine in ten truths lie. What is not
known is None.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nasacct.times import iso


@dataclass(frozen=True, slots=True)
class Client:
    """Who of an entity's clients waited for the disks: an address, its VPS, its share of the entity's time."""

    address: str
    vps: str | None
    share: float
    by: str  #: what the share is of: in_flight (time of calls in flight) or bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of one server, a second: inside, and usually (None: nothing is usual yet)."""

    server: str
    export: str | None
    share: float  #: of the disk time
    calls_s: dict[str, float]  #: by class of calls, and read_mb, write_mb
    usual_s: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class Entity:
    """Somebody or something that used the disks."""

    entity: str  #: member:ID, server:NAME, local, hardware, unknown
    share: float
    share_lo: float
    share_hi: float
    blame: float  #: share of the increase over what is normal for each
    blame_lo: float
    blame_hi: float
    confidence: float  #: how likely it is that it caused a fifth of the increase or more
    culprit: bool
    name: str | None = None  #: what people call it
    how: str | None = None
    since: datetime | None = None
    disk_s: float | None = None  #: seconds of the pool's median disk
    servers: tuple[Asked, ...] = ()
    clients: tuple[Client, ...] = ()


@dataclass(frozen=True, slots=True)
class Victim:
    """Who got less done: calls a second, and µs a call where the inside is read, before and inside."""

    entity: str
    name: str | None
    calls_s_before: float
    calls_s: float
    response_us_before: float | None
    response_us: float | None


@dataclass(frozen=True, slots=True)
class State:
    """One figure of how bad it was: inside (mean), and usually (median of normal samples)."""

    what: str  #: of a disk: busy, queue, wait_ms; of the machine: some, full; of the pool: sync_s
    disk: str | None
    inside: float | None
    usual: float | None


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """What members waited for that is no disk, and so nobody's guilt."""

    kind: str  #: threads (all of a server's were busy while the disks were idle), link (of the node, which was full)
    name: str
    share: float  #: of the window's samples
    way: str | None = None  #: of a link: received (into the NAS) or sent, where more went in these samples
    carried_bits_s: int | None = None  #: that way, on average
    speed_bits_s: int | None = None  #: what it can carry


@dataclass(frozen=True, slots=True)
class RuledOut:
    """What did not cause it, and the figure that says so."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Without:
    """How busy the disks would have been without an entity; `refused`: why nobody can say."""

    entity: str
    busy: float | None = None
    busy_lo: float | None = None
    busy_hi: float | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """Something that can be done about it, and a command where there is one; printed, never run."""

    text: str
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """What somebody noted; `text` is None when it was erased."""

    begin: datetime
    end: datetime
    text: str | None
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """What is said of a pool from `begin` to `end`."""

    node: str
    pool: str
    begin: datetime
    end: datetime
    episode: str | None  #: the episode it is, None: a window that somebody named
    saturated: float  #: share of the samples in which the disks did not keep up
    component: str  #: which of the pool's disks this is about: data, special, dedup, log
    components: tuple[str, ...]  #: those that the pool has
    verdict: str  #: members, local, hardware, mixed, diffuse, unknown
    confidence: float
    harmful: bool | None  #: whether others than culprits were hurt; None: nobody can say
    entities: tuple[Entity, ...]
    victims: tuple[Victim, ...]
    states: tuple[State, ...]
    changed: tuple[str, ...]  #: against the same hour of the last four weeks, a sentence each
    bottlenecks: tuple[Bottleneck, ...]
    ruled_out: tuple[RuledOut, ...]
    without: tuple[Without, ...]
    hints: tuple[Hint, ...]
    checks: tuple[str, ...]  #: commands that show what it rests on
    notes: tuple[Noted, ...]  #: what admins noted of this time
    caveats: tuple[str, ...]  #: what makes it less sure
    learned_s: int  #: of how much time what is normal was learnt
    samples: int  #: how many of the window's were read
    expected: int  #: how many there should be
    trouble: tuple[str, ...] = field(default=())  #: what could not be read

    @property
    def culprits(self) -> tuple[Entity, ...]:
        """Who caused it."""
        return tuple(each for each in self.entities if each.culprit)

    def as_json(self) -> dict[str, Any]:
        """Every number, for a program; moments in UTC."""
        found: dict[str, Any] = _plain(dataclasses.asdict(self))
        return {"from": found.pop("begin"), "to": found.pop("end")} | found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return iso(value)
    return round(value, 6) if isinstance(value, float) else value
