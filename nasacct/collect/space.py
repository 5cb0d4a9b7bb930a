"""The source `space`: how much each dataset holds, and how much more it may, as `zfs list` tells.

Looked at are the pools, the datasets that servers show with all below and above them, and those that `space.datasets`
names. A pool holds many others, backups and clones of their snapshots, which nobody is waiting for here.

`zfs list` asks the pool, and waits with it where that stands still. So no cycle waits for this source, one program at a
time is run, and none for a pool that stands still (`pools.py`): what is known of its datasets stays as it was.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect import pools, zfs_list
from nasacct.collect.changes import Changes
from nasacct.collect.lines import ParseError
from nasacct.collect.program import Program
from nasacct.store.frame import Batch, Subject
from nasacct.store.mounts import mounts
from nasacct.store.schema import SPACE
from nasacct.store.shown_dataset import above, dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from nasacct.collect.machine import Listing, Machine, Server
    from nasacct.collect.zfs_list import Dataset
    from nasacct.store.mounts import Mount

#: What it says of a dataset that is no more.
_NO_MORE = "dataset does not exist"


class Space:
    """Asks for the datasets every `interval_s`, and hands out the rows that changed.

    `extra` are the names of datasets that are looked at with all below them, beside those that servers show; `runs` is
    the program that is run instead of `zfs`.
    """

    name = SPACE.source
    streams = (SPACE.name,)
    optional = True
    unhurried = True

    def __init__(
        self,
        admit: Callable[[Subject], int],
        interval_s: float,
        extra: Iterable[str] = (),
        *,
        runs: str | None = None,
        kstats: Path = pools.KSTATS,
    ) -> None:
        self.pace_s = float(interval_s)
        self._admit, self._extra, self._program, self._kstats = admit, tuple(extra), Program("zfs", runs), kstats
        self._subjects: dict[str, Subject] = {}
        self._changes = Changes(SPACE)

    def read(self, machine: Machine, listing: Listing) -> Batch:
        """Ask once, of every pool that answers. Raises OSError where there is no ZFS or it cannot be asked."""
        stands = pools.look(self._kstats)
        if not stands:
            raise FileNotFoundError("there is no pool")
        answer = [pool for pool, why in stands.items() if not why]
        below = topmost({*self._extra, *shown(listing.servers, mounts())})
        cpu_us = self._program.cpu_us
        below = [name for name in below if _pool(name) in answer]
        found, notes = self._list(sorted({*answer, *chain.from_iterable(map(above, below))}), below)
        batch = Batch(self.name, machine.now(), [], cpu_us=self._program.cpu_us - cpu_us)
        batch.complete = listing.complete and not notes and not any(stands.values())
        batch.note = "; ".join([*filter(None, stands.values()), *notes])
        self._meet(found)
        batch.listed = [self._subjects[guid] for guid in found]
        values = np.array([each.sizes for each in found.values()], np.int64).reshape(-1, SPACE.width)
        batch.rows = self._changes.rows([self._subjects[guid] for guid in found], values)
        if batch.complete:
            self._changes.forget_others(self._subjects, set(batch.listed))
        return batch

    def close(self) -> None:
        """End the program, if one is running."""
        self._program.close()

    def _meet(self, found: Mapping[str, Dataset]) -> None:
        for guid, each in found.items():
            subject = self._subjects.get(guid)
            if subject is None:
                subject = Subject(self.name, {"dataset": guid}, f"zfs/{guid}", about={"name": each.name})
                subject.sid = self._admit(subject)
                self._subjects[guid] = subject
            elif subject.about["name"] != each.name:
                # the next head of a journal file has it
                subject.about["name"] = each.name

    def _list(self, alone: list[str], below: list[str]) -> tuple[dict[str, Dataset], list[str]]:
        """The datasets of these names, of the second ones all below them, too; and what could not be had of them."""
        found: dict[str, Dataset] = {}
        notes: list[str] = []
        for arguments in (alone, ["-r", *below]):
            if arguments and arguments != ["-r"]:
                text, complaints = self._program.run(*zfs_list.ARGUMENTS, *arguments)
                notes += [line for line in complaints if not line.endswith(_NO_MORE)][:3]
                try:
                    found |= {each.guid: each for each in zfs_list.parse(text)}
                except ParseError as error:
                    notes.append(f"zfs list: {error}")
        return found, notes


def shown(servers: Iterable[Server], among: list[Mount]) -> set[str]:
    """The datasets that servers show, by where they are mounted; clones of snapshots are left out."""
    of_zfs = [mount for mount in among if mount.kind == "zfs"]
    by_point = {str(mount.point): mount.source for mount in of_zfs}
    found = set()
    for directory, path in {tuple(s.shown.values()) for s in servers if s.shown}:
        if "snapshot" in dataset(directory, path):
            continue
        place = directory.rstrip("/")
        while place and place not in by_point:
            place = place.rpartition("/")[0]
        if place:
            found.add(by_point[place])
    return found


def topmost(names: Iterable[str]) -> list[str]:
    """Of these datasets those that are below none of the others."""
    every = set(names)
    return sorted(name for name in every if every.isdisjoint(above(name)))


def _pool(name: str) -> str:
    return name.partition("/")[0]
