"""Owners: whose something was at each moment, by what the inventory says."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nasacct.store.inventory import Inventory

#: What an address is that is nobody's, as a hypervisor's own.
SHARED = "shared"


class Owners(Protocol):
    """Tells whose a node's server or client is."""

    def of(self, node: str, who: str, moment: int) -> str:
        """Its owner at a moment (µs of UTC), as the answer names it."""
        ...

    def changes(self, node: str, who: str, lo: int, hi: int) -> list[int]:
        """The moments between `lo` and `hi` at which it came to another one, in their order."""
        ...


class Exports:
    """The exports that servers showed, or the members whose those were; '' where nothing is known.

    Of a member that was merged into another one, that one.
    """

    def __init__(self, known: Inventory, *, members: bool = False) -> None:
        self._known, self._members = known, members
        self._merges = known.merges() if members else set[int]()
        self._spans: dict[str, list[tuple[int, int, str | None, str]]] = {}
        for name, intervals in known.things("export").items():
            for since, until, said in intervals:
                span = since, until, said.get("node"), said.get("member", "") if members else name
                self._spans.setdefault(said.get("server", ""), []).append(span)

    def of(self, node: str, who: str, moment: int) -> str:
        """See `Owners.of`; of several exports the latest counts."""
        there = [s for s in self._spans.get(who, ()) if s[0] <= moment < s[1] and s[2] in (None, node)]
        found = max(there, key=lambda s: s[0])[3] if there else ""
        return self._known.member(found, moment) if found and self._members else found

    def changes(self, node: str, who: str, lo: int, hi: int) -> list[int]:
        """See `Owners.changes`."""
        edges = {at for s in self._spans.get(who, ()) for at in s[:2]} | self._merges
        return _changed(self, node, who, (at for at in edges if lo < at < hi))


class Vpses:
    """The VPSes of clients: `vps N`, SHARED, the address of one that nobody is known of; '' of what is no client's.

    `addresses` are those of each node by their ids. Of prefixes the longest counts.
    """

    def __init__(self, known: Inventory, addresses: Mapping[str, Mapping[str, str]]) -> None:
        self._addresses = addresses
        self._prefixes = sorted(
            ((ip_network(prefix), intervals) for prefix, intervals in known.things("address").items()),
            key=lambda item: -item[0].prefixlen,
        )
        self._spans: dict[str, list[tuple[int, int, str]]] = {}

    def of(self, node: str, who: str, moment: int) -> str:
        """See `Owners.of`."""
        address = self.address(node, who)
        return next((owner for since, until, owner in self._of(address) if since <= moment < until), address)

    def changes(self, node: str, who: str, lo: int, hi: int) -> list[int]:
        """See `Owners.changes`."""
        spans = self._of(self.address(node, who))
        return _changed(self, node, who, (at for span in spans for at in span[:2] if lo < at < hi))

    def address(self, node: str, who: str) -> str:
        """The client's address, its id where that is not known."""
        return self._addresses.get(node, {}).get(who, who)

    def _of(self, address: str) -> list[tuple[int, int, str]]:
        """Since when, until when and whose the prefixes with the address are, the longest first."""
        if address not in self._spans:
            try:
                found = ip_address(address)
            except ValueError:
                # an id whose address is forgotten
                return []
            self._spans[address] = [
                (since, until, f"vps {said['vps']}" if "vps" in said else SHARED)
                for prefix, intervals in self._prefixes
                if found in prefix
                for since, until, said in intervals
            ]
        return self._spans[address]


def _changed(owners: Owners, node: str, who: str, edges: Iterable[int]) -> list[int]:
    return [at for at in sorted(set(edges)) if owners.of(node, who, at) != owners.of(node, who, at - 1)]
