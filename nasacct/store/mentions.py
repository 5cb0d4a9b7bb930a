"""Mentions: notes and judgements whose words may name a member, so that somebody looks at them."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING

from nasacct.store import inventory, judgements, notes
from nasacct.store.personal import Personal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What a thing of a member's may be called by.
_NAMES = ("name", "dataset")
#: Parts of a name that are shorter are in every text.
_PART = 3


def mentions(root: Path, member: str) -> list[str]:
    """The commands that erase words in which the member's number, or any name that is theirs, stands.

    Names and their parts, VPSes' names, addresses and datasets as the inventory knows them, whichever case.
    NasacctError when a file is damaged or newer; OSError.
    """
    words = sorted(set(_words(Personal(inventory.read(root), member))))
    named = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)
    found = [f"nasacct note --erase {n.id}" for n in notes.read(root) if n.text and named.search(n.text)]
    judged = (j.episode for j in judgements.read(root) if j.text and named.search(j.text))
    return found + [f"nasacct verdict {episode} --erase" for episode in dict.fromkeys(judged)]


def _words(personal: Personal) -> Iterator[str]:
    yield personal.member
    for statement in personal.known.statements:
        if (statement.kind, statement.id) not in personal.things:
            continue
        said = statement.properties or {}
        if said.get("member", personal.member) == personal.member:
            yield from (said[name] for name in _NAMES if said.get(name))
        if statement.kind == "member":
            # people are called by a part of their name
            yield from (part for part in said.get("name", "").split() if len(part) >= _PART)
        if statement.kind == "address":
            net = ip_network(statement.id)
            yield str(net.network_address) if net.num_addresses == 1 else statement.id
