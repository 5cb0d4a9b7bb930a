"""The source `places`: on which pool the directories lie that a server exports, in which dataset, and how that syncs.

A directory lies on what is mounted above it nearest, by names alone (`foundations.py`); `zfs list` tells the guids of
datasets and whether they have `sync=disabled`. Of a server whose directories its configuration does not say, nothing is
known here.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect import pools, zfs_sync
from nasacct.collect.budget import affordable
from nasacct.collect.changes import Changes
from nasacct.collect.foundations import SOON_S, Mounts, foundation
from nasacct.collect.lines import ParseError
from nasacct.collect.program import Program
from nasacct.store.frame import ABSENT, Batch, Subject
from nasacct.store.mounts import mounts
from nasacct.store.schema import PLACES, SYNCS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from nasacct.collect.foundations import Foundation
    from nasacct.collect.machine import Disk, Listing, Machine, Server
    from nasacct.collect.zfs_sync import Dataset

_NO_MORE = "dataset does not exist"
#: A server, the pool's id, the dataset's guid and its id in the stream `datasets`, how it syncs.
_Place = tuple["Server", str, str | None, str | None, int]


class Places:
    """Looks every `interval_s`, and hands out the rows that changed.

    `admit` gives a new subject its sid; `share` is how much of a processor the source may take; `runs` is the program
    that is run instead of `zfs`.
    """

    name = PLACES.source
    streams = (PLACES.name,)
    optional = True
    unhurried = True

    def __init__(
        self,
        admit: Callable[[Subject], int],
        interval_s: float,
        share: float = 1.0,
        *,
        runs: str | None = None,
        kstats: Path = pools.KSTATS,
        sys_root: Path = Path("/sys"),
    ) -> None:
        self.pace_s, self._interval_s, self._share = SOON_S, float(interval_s), share
        self._admit, self._kstats, self._sys_root = admit, kstats, sys_root
        self._program = Program("zfs", runs)
        #: by name
        self._datasets_known: dict[str, Dataset] = {}
        self._subjects: dict[tuple[str | None, ...], Subject] = {}
        self._changes, self._looked = Changes(PLACES), False

    def read(self, machine: Machine, listing: Listing) -> Batch:
        """Look at every server once. Raises OSError where the machine has no list of its disks."""
        cpu_us, began = self._program.cpu_us, time.thread_time()
        below_servers = list(found(listing.servers, machine.disks(), self._sys_root))
        names = {below.dataset for _, below in below_servers if below.dataset}
        told, notes = self._datasets(names)
        # of a pool that does not answer what it said last
        self._datasets_known = {name: each for name, each in (self._datasets_known | told).items() if name in names}
        places = Counter(self._places(below_servers))
        batch = Batch(self.name, machine.now(), [], complete=listing.complete and not notes, note="; ".join(notes))
        batch.cpu_us = self._program.cpu_us - cpu_us
        values = np.array([[count, sync] for (*_, sync), count in places.items()], np.int64)
        subjects = [self._subject(server, pool, dataset, objset) for server, pool, dataset, objset, _ in places]
        batch.listed = subjects
        batch.rows = self._changes.rows(subjects, values)
        if batch.complete:
            self._changes.forget_others(self._subjects, set(subjects))
        # what was so is known as of the second look
        wanted_s = self._interval_s if self._looked else SOON_S
        self.pace_s = affordable(wanted_s, batch.cpu_us / 1e6 + time.thread_time() - began, self._share)
        self._looked = True
        return batch

    def close(self) -> None:
        """End the program, if one is running."""
        self._program.close()

    def _places(self, below_servers: Iterable[tuple[Server, Foundation]]) -> Iterator[_Place]:
        try:
            guids = pools.guids(self._kstats)
        except OSError:
            guids = {}
        as_asked = SYNCS.index("standard")
        for server, below in below_servers:
            if below.kind == "zfs":
                pool, one = guids.get(below.pool), self._datasets_known.get(below.dataset or "")
                objset = f"{pool}-{one.number:x}" if pool and one else None
                yield server, pool or below.pool, one and one.guid, objset, one.sync if one else ABSENT
            else:
                yield server, below.pool, None, None, as_asked

    def _datasets(self, names: Collection[str]) -> tuple[dict[str, Dataset], list[str]]:
        """Datasets by name, of pools that answer, and what could not be had."""
        try:
            stands = pools.look(self._kstats) if names else {}
        except OSError:
            stands = {}
        asked = sorted(name for name in names if not stands.get(name.partition("/")[0], "no such pool"))
        notes = [why for why in stands.values() if why]
        if not asked:
            return {}, notes
        try:
            text, complaints = self._program.run(*zfs_sync.ARGUMENTS, *asked)
            return zfs_sync.parse(text), notes + [line for line in complaints if not line.endswith(_NO_MORE)][:3]
        except (OSError, ParseError) as error:
            return {}, [*notes, f"zfs list: {error}"]

    def _subject(self, server: Server, pool: str, dataset: str | None, objset: str | None) -> Subject:
        known = server.epoch, pool, dataset, objset
        subject = self._subjects.get(known)
        if subject is None:
            keys = {"server": server.name, "pool": pool, "dataset": dataset, "objset": objset}
            subject = self._subjects[known] = Subject(self.name, keys, f"{server.epoch}/{pool}/{dataset or ''}")
            subject.sid = self._admit(subject)
        return subject


def found(
    servers: Iterable[Server], disks: Iterable[Disk], sys_root: Path = Path("/sys")
) -> Iterator[tuple[Server, Foundation]]:
    """What each directory lies on that a server shows, as far as that is known. Raises OSError."""
    mounted, whole = Mounts(mounts()), {disk.device for disk in disks}
    known: dict[str, Foundation | None] = {}
    for server in servers:
        for directory in sorted({export.directory for export in server.exports}):
            mount = mounted.of(directory)
            if mount is None:
                continue
            point = str(mount.point)
            if point not in known:
                known[point] = foundation(mount, whole, sys_root)
            below = known[point]
            if below is not None:
                yield server, below
