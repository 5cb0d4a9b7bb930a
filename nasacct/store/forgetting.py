"""Forgetting a member: what names them goes out of the inventory, and what their addresses did out of every tree.

First every tree is left its order (`strikes.py`), then it is noted who was forgotten, then the inventory is written
anew; so whenever this is interrupted, it can be begun again, and loses sight of nothing. The trees themselves are done
by who holds their locks.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from nasacct.errors import NO_INPUT, TEMPORARY, NasacctError
from nasacct.store import addresses, forgotten, inventory, journal
from nasacct.store.heads import heads, read_head
from nasacct.store.personal import Personal
from nasacct.store.root import existing
from nasacct.store.strikes import Strike, order, ordered
from nasacct.store.tree import trees
from nasacct.times import us

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from pathlib import Path

    from nasacct.store.inventory import Inventory, Statement
    from nasacct.store.tree import Tree


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to go of a member: by node the ids of clients that were theirs alone, and which statements are left.

    `changed` is how many statements go or say less. `shared` is how many addresses stay because they were another
    member's, too. `before`: when they were forgotten already. `paths` are the ids of paths of their exports by node.
    """

    member: str
    clients: dict[str, frozenset[str]]
    left: list[Statement]
    changed: int
    shared: int
    before: datetime | None
    paths: dict[str, frozenset[str]]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to go."""
        return not self.changed and not any(self.clients.values())


def plan(root: Path, member: str) -> Plan:
    """What there is to go. NasacctError when nobody knows the member, or a file is damaged or newer; OSError."""
    existing(root)
    known, before = inventory.read(root), forgotten.read(root).get(member)
    personal = Personal(known, member)
    if not personal.things and before is None:
        raise NasacctError(f"no member {member} is known; `nasacct inventory show member` lists them", NO_INPUT)
    found = {tree.node: _addresses(tree) for tree in trees(root)}
    said = {name for of_node in found.values() for name in of_node.values()}
    every = {name for name in said if _is_address(name)}
    paths = personal.paths(said)
    mine, shared = personal.addresses(every)
    left = personal.left(every - mine, mine)
    clients = {
        node: frozenset(c for c, address in of_node.items() if address in mine) for node, of_node in found.items()
    }
    shown = {node: frozenset(c for c, name in of_node.items() if name in paths) for node, of_node in found.items()}
    return Plan(member, clients, left, _changed(known, left), len(shared), before, shown)


def forget(root: Path, member: str, now: datetime) -> Plan:
    """Forget a member, but for the trees, which are left their orders; gives back what went.

    NasacctError when another process changes the inventory, or as for `plan`; OSError when the disk does not take it.
    """
    existing(root)
    with inventory.being_told(root):
        todo = plan(root, member)
        _begin(root, todo, now)
        return todo


def depart(root: Path, days: int, now: datetime) -> list[str]:
    """Forget the members who have been gone for longer than so many `days`; gives back who.

    Nobody, while another process changes the inventory. Errors as those of `forget`.
    """
    limit = us(now - timedelta(days=days))
    if not _departed(root, limit):
        return []
    try:
        lock = inventory.being_told(root)
    except NasacctError as error:
        if error.status == TEMPORARY:
            return []
        raise
    with lock:
        gone = _departed(root, limit)
        for member in gone:
            _begin(root, plan(root, member), now)
        return gone


def _begin(root: Path, todo: Plan, now: datetime) -> None:
    for tree in trees(root):
        clients = todo.clients.get(tree.node, frozenset())
        if paths := todo.paths.get(tree.node):
            addresses.strike(tree, paths)
        known = ordered(tree.folder).values()
        if clients and not any(clients <= each.clients and each.at >= int(now.timestamp()) for each in known):
            order(tree.folder, Strike(int(now.timestamp()), clients, _alive(tree, clients)))
    if todo.before is None or not todo.is_empty:
        forgotten.note(root, todo.member, now.replace(microsecond=0))
    if todo.changed:
        inventory.write(root, todo.left)


def _departed(root: Path, limit: int) -> list[str]:
    """Members who were no more at that moment and since, and were not forgotten yet."""
    known, before = inventory.read(root), forgotten.read(root)
    last: dict[str, Statement] = {}
    for (kind, name, at), statement in known.said.items():
        if kind == "member" and name not in before and (name not in last or last[name].at < at):
            last[name] = statement
    return sorted(name for name, said in last.items() if said.properties is None and said.at <= limit)


def _changed(known: Inventory, left: list[Statement]) -> int:
    """How many statements are not left as they were."""
    stay = {statement.encode() for statement in left}
    return sum(statement.encode() not in stay for statement in known.statements)


def _is_address(name: str) -> bool:
    with suppress(ValueError):
        ip_address(name)
        return True
    return False


def _alive(tree: Tree, clients: Collection[str]) -> frozenset[str]:
    """The epochs of these clients' connections that the journal does not know to have ended."""
    for path in reversed(journal.files(tree.journal)):
        with suppress(journal.JournalError):
            live = journal.read(path).standing().live.values()
            return frozenset(subject.epoch for subject in live if subject.keys.get("client") in clients)
    return frozenset()


def _addresses(tree: Tree) -> dict[str, str]:
    """The addresses of clients by their ids, of which the book, the journal and its heads tell."""
    found, _ = addresses.read(tree.folder)
    for path in journal.files(tree.journal):
        with suppress(journal.JournalError):
            found |= {entry.id: entry.address for entry in addresses.told(journal.read(path))}
    for path in heads(tree.journal):
        with suppress(journal.JournalError):
            found |= {entry.id: entry.address for entry in addresses.told(read_head(path))}
    return found
