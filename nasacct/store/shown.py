"""Shown: what servers show to clients, and what datasets are called, told to the inventory by the keeper.

Of datasets and pools usage has ids alone; what they are called, as ZFS says, is in what their births are about. Of
servers it is the directory that one shows (`dir`) and the path under which clients mount it (`as`), as
osctl-exportfs's configuration says (`shown_dataset.py`).
"""

from __future__ import annotations

import logging
import time
from itertools import chain
from typing import TYPE_CHECKING

from nasacct.errors import NasacctError
from nasacct.store import inventory
from nasacct.store.inventory import Statement
from nasacct.store.schema import DATASETS, NFSD, POOLS, SPACE
from nasacct.store.shown_dataset import dataset

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nasacct.store.frame import Subject
    from nasacct.store.inventory import Kind, Properties
    from nasacct.store.journal import Journal
    from nasacct.store.tree import Tree

log = logging.getLogger(__name__)

#: Who tells what servers show, and what datasets are called.
BY, BY_ZFS = "osctl-exportfs", "zfs"
#: The sources whose things have names in ZFS, and the key that is their id. A pool is called as its topmost dataset.
NAMED = {SPACE.source: "dataset", DATASETS.source: "dataset", POOLS.source: "pool"}


def learn(tree: Tree, found: Journal) -> None:
    """Tell the inventory what a journal file says that servers show and datasets are called, as far as it is new.

    What cannot be told is told in the log: the next file's head says it again.
    """
    try:
        known, now_s = inventory.read(tree.root), int(time.time())
        new: dict[tuple[Kind, str], list[Statement]] = {}
        for at_us, subject in told(found):
            seen = _seen(tree.node, subject, at_us, now_s)
            if seen is None:
                continue
            before = new.get(seen.about[:2])
            # of one that began anew within the file the last counts
            if more := known.news(seen) if before is None else [seen] * (before[-1].properties != seen.properties):
                new.setdefault(seen.about[:2], []).extend(more)
        if new:
            inventory.tell(tree.root, chain.from_iterable(new.values()))
    except (NasacctError, OSError) as error:
        log.warning("node %s: what its servers show is not told to the inventory: %s", tree.node, error)


def told(found: Journal) -> Iterator[tuple[int, Subject]]:
    """The servers and datasets that the head and births of a journal file tell, and when they were so (µs of UTC)."""
    head = ((found.at.wall_ns, subject) for subject in found.carry.live.values())
    births = chain.from_iterable(((_born(s, f.at.wall_ns), s) for s in f.births) for f in found.frames)
    for wall_ns, subject in chain(head, births):
        key = "server" if subject.source == NFSD.source else NAMED.get(subject.source)
        if key is not None and subject.keys.get(key) is not None:
            yield wall_ns // 1000, subject


def datasets(found: Journal) -> dict[str, str]:
    """What a journal file says that datasets are called, by their ids."""
    every = (subject for _, subject in told(found) if subject.source in NAMED)
    return {str(s.keys[NAMED[s.source]]): str(s.about["name"]) for s in every if s.about.get("name")}


def _seen(node: str, subject: Subject, at_us: int, now_s: int) -> Statement | None:
    """What is said of the server or dataset; None: nothing."""
    if subject.source in NAMED:
        name, id_ = subject.about.get("name"), f"{node}/{subject.keys[NAMED[subject.source]]}"
        named = isinstance(name, str) and name
        return Statement("dataset", id_, at_us, {"name": str(name)}, now_s, BY_ZFS) if named else None
    properties = shown(subject)
    return Statement("server", f"{node}/{subject.keys['server']}", at_us, properties, now_s, BY) if properties else None


def shown(subject: Subject) -> Properties:
    """What a server shows; nothing where its configuration does not say."""
    directory, path, address = (subject.about.get(name) for name in ("dir", "as", "address"))
    if not isinstance(directory, str) or not isinstance(path, str):
        return {}
    of_path = dataset(directory, path)
    return of_path | ({"address": address} if isinstance(address, str) else {})


def _born(subject: Subject, wall_ns: int) -> int:
    """When a server began, not after it was first seen."""
    born = subject.about.get("born_ns")
    return min(born, wall_ns) if isinstance(born, int) else wall_ns
