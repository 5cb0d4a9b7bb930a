"""Whose a client is, for people: its VPS, the VPS's member (the consumer), and the export's (the owner), with names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nasacct.reports.exports import Exports
from nasacct.reports.owners import Addresses

if TYPE_CHECKING:
    from nasacct.store.inventory import Inventory, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class OfClient:
    """What is known of whose a client is; `kind` as in `owners.Whose`, None: nothing was asked."""

    kind: str | None = None
    vps: str | None = None
    vps_name: str | None = None
    consumer: str | None = None
    consumer_name: str | None = None
    owner: str | None = None
    owner_name: str | None = None


class Clients:
    """Tells of clients of servers whose they are at a moment."""

    def __init__(self, known: Inventory) -> None:
        self._known, self._exports, self._addresses = known, Exports(known), Addresses(known)

    def of(self, node: str, server: str, address: str, moment: int) -> OfClient:
        """Of the client of a server with this address, at a moment (µs of UTC)."""
        whose = self._addresses.at(address, moment)
        owner = self._exports.member(node, server, moment) or None
        return OfClient(
            kind=whose.kind,
            vps=whose.vps,
            vps_name=called(self._known, "vps", whose.vps, moment),
            consumer=whose.consumer,
            consumer_name=called(self._known, "member", whose.consumer, moment),
            owner=owner,
            owner_name=called(self._known, "member", owner, moment),
        )


def called(known: Inventory, kind: Kind, name: str | None, moment: int) -> str | None:
    """What people call a thing at a moment; None where that is not known."""
    said = known.at(kind, name, moment) if name is not None else None
    return said.get("name") if said is not None else None
