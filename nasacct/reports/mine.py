"""Mine: what servers and clients moved as one member may be told of it; '' is what they are told nothing of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nasacct.reports.breakdown import pair
from nasacct.reports.exports import Exports
from nasacct.reports.owners import SHARED, VPS, Addresses, changed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nasacct.store.inventory import Inventory

#: What a client of another member is to the owner of an export.
ANOTHER = "another member"


class MyExports:
    """The numbers of exports while they were the member's, or of somebody's who was merged into them."""

    def __init__(self, known: Inventory, member: str) -> None:
        self._exports, self._merges, self._member = Exports(known), known.merges(), member

    def of(self, node: str, who: str, moment: int) -> str:
        """See `Owners.of`."""
        shown = self._exports.at(node, who, moment)
        return shown.export if shown and self._exports.member(node, who, moment) == self._member else ""

    def changes(self, node: str, who: str, lo: int, hi: int) -> list[int]:
        """See `Owners.changes`."""
        return changed(self, (node, who), (lo, hi), self._exports.edges(node, who) | self._merges)


class MyVpses:
    """The numbers of VPSes of clients while they were the member's; `addresses` are each node's by their ids."""

    def __init__(self, known: Inventory, member: str, addresses: Mapping[str, Mapping[str, str]]) -> None:
        self.exports = MyExports(known, member)
        self.owners, self.member = Addresses(known), member
        self._shown, self._merges, self._addresses = Exports(known), known.merges(), addresses

    def of(self, node: str, who: str, moment: int) -> str:
        """See `Owners.of`."""
        whose = self.owners.at(self.address(node, who), moment)
        return whose.vps if whose.vps and whose.consumer == self.member else ""

    def changes(self, node: str, who: str, lo: int, hi: int) -> list[int]:
        """See `Owners.changes`."""
        if not who:
            return []
        edges = self.owners.edges(self.address(node, who)) | self._shown.edges(node, pair(who)[0]) | self._merges
        return changed(self, (node, who), (lo, hi), edges)

    def address(self, node: str, who: str) -> str:
        """The client's address, its id where that is not known."""
        client = pair(who)[1]
        return self._addresses.get(node, {}).get(client, client)


class MyClients(MyVpses):
    """Who used the member's exports, as JSON: the export's number, and `vps N` of theirs, ANOTHER, or the address."""

    def of(self, node: str, who: str, moment: int) -> str:
        """See `Owners.of`; SHARED is a hypervisor's own address."""
        export = self.exports.of(node, pair(who)[0], moment) if who else ""
        if not export:
            return ""
        address = self.address(node, who)
        whose = self.owners.at(address, moment)
        client = address
        if whose.kind == VPS:
            client = f"vps {whose.vps}" if whose.consumer == self.member else ANOTHER
        elif whose.kind == SHARED:
            client = SHARED
        return json.dumps([export, client])
