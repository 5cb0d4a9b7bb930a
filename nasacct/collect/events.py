"""What happens between two cycles and cannot wait for the next: births and ends of servers and links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasacct.collect.machine import LINK_COLUMNS
from nasacct.store.frame import ABSENT

if TYPE_CHECKING:
    from nasacct.collect.machine import Server
    from nasacct.store.frame import Instant


@dataclass(frozen=True, slots=True)
class ServersChanged:
    """Servers may have come, gone or changed: below these paths; no paths: anywhere, look at everything again."""

    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerEnded:
    """The server's process or namespace has ended. Its counters can be read for a moment longer."""

    server: Server


@dataclass(frozen=True, slots=True)
class LinkBorn:
    """An interface came into the host's namespace, or has a new name."""

    ifindex: int
    name: str


@dataclass(frozen=True, slots=True)
class LinkEnded:
    """An interface left the host's namespace.

    `nsid` is the id of the other end's namespace. `counters` are the last ones in the order of LINK_COLUMNS, the
    host's view, ABSENT where nobody knows; None when the end was noticed too late for any.
    """

    ifindex: int
    name: str
    nsid: int | None
    counters: tuple[int, ...] | None
    at: Instant

    def epoch(self, boot_id: str) -> str:
        """The epoch of the link's counters."""
        return link_epoch(boot_id, self.ifindex)

    def recorded(self, boot_id: str) -> dict[str, Any]:
        """The event in a recording; received and sent are those of the server behind the link."""
        known = dict(zip(LINK_COLUMNS, self.counters or (ABSENT,) * len(LINK_COLUMNS), strict=True))
        row: dict[str, Any] = {"epoch": self.epoch(boot_id), "link": self.name}
        for key, column in (("received_bytes", "tx_bytes"), ("sent_bytes", "rx_bytes")):
            row[key] = known[column] if known[column] != ABSENT else None
        return row


Event = ServersChanged | ServerEnded | LinkBorn | LinkEnded


def link_epoch(boot_id: str, ifindex: int) -> str:
    """The epoch of an interface's counters: numbers of interfaces are not used again within a boot."""
    return f"{boot_id}/if{ifindex}"
