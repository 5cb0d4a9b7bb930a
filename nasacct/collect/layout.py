"""The source `layout`: which whole disks make up which pool, what each is for there, and whether it rotates.

Pools are those of ZFS (`zpool.py`), arrays of md (`mdstat.py`), and the disks below other file systems
(`foundations.py`). A disk that is replaced, or used for something else, is another subject. Beside its disks a pool has
a row of its own, with its state and, of ZFS, what its module was told (/sys/module/zfs/parameters, zfs(4)).
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect import mdstat, pools, topology
from nasacct.collect.budget import affordable
from nasacct.collect.changes import Changes
from nasacct.collect.foundations import SOON_S, Mounts, foundation
from nasacct.collect.lines import ParseError
from nasacct.collect.zpool import Zpool
from nasacct.store.frame import ABSENT, Batch, Subject
from nasacct.store.mounts import mounts
from nasacct.store.schema import LAYOUT, PART_STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nasacct.collect.machine import Disk, Listing, Machine

#: Our names of parameters of ZFS's module.
PARAMETERS = {
    "txg_timeout_s": "zfs_txg_timeout",
    "dirty_data_max_bytes": "zfs_dirty_data_max",
    "scrub_max_active": "zfs_vdev_scrub_max_active",
}
_FOLDER = "sys/module/zfs/parameters"


@dataclass(slots=True)
class _Pool:
    """One pool as it is now; of each role the disks that are used so, with the states of their parts."""

    pool: str
    name: str
    kind: str
    state: str
    disks: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, role: str, state: str, disks: tuple[str, ...]) -> None:
        for device in disks:
            self.disks[role, device].append(state)


class Layout:
    """Looks every `interval_s`, and hands out the rows that changed.

    `admit` gives a new subject its sid; `share` is how much of a processor the source may take; `runs` is the program
    that is run instead of `zpool`.
    """

    name = LAYOUT.source
    streams = (LAYOUT.name,)
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
        self._admit, self._sys_root, self._zpool = admit, sys_root, Zpool(runs, kstats)
        self._subjects: dict[tuple[str, tuple[str | None, ...]], Subject] = {}
        self._changes, self._looked = Changes(LAYOUT), False

    def read(self, machine: Machine, listing: Listing) -> Batch:  # noqa: ARG002  whatever servers there are
        """Look at all pools once. Raises OSError where the machine has no list of its disks."""
        cpu_us, began = self._zpool.cpu_us, time.thread_time()
        disks = {disk.device: disk for disk in machine.disks()}
        found, notes = self._zfs()
        parameters = _parameters(machine)
        for look in (partial(self._md, machine), partial(self._plain, disks)):
            try:
                found += look()
            except (OSError, ParseError) as error:
                notes.append(str(error))
        rows = self._rows(machine.boot_id, disks, found, parameters)
        batch = Batch(self.name, machine.now(), list(rows), complete=not notes, note="; ".join(notes))
        batch.cpu_us = self._zpool.cpu_us - cpu_us
        values = np.array([[row.get(m.name, ABSENT) for m in LAYOUT.measures] for row in rows.values()], np.int64)
        batch.rows = self._changes.rows(list(rows), values)
        if batch.complete:
            self._changes.forget_others(self._subjects, set(rows))
        # what was so is known as of the second look
        wanted_s = self._interval_s if self._looked else SOON_S
        self.pace_s = affordable(wanted_s, batch.cpu_us / 1e6 + time.thread_time() - began, self._share)
        self._looked = True
        return batch

    def close(self) -> None:
        """End the program, if one is running."""
        self._zpool.close()

    def _zfs(self) -> tuple[list[_Pool], list[str]]:
        found, notes = self._zpool.status()
        made = []
        for one in found:
            pool = _Pool(one.guid or one.name, one.name, "zfs", one.state)
            for part in one.parts:
                device = topology.named(part.path, self._sys_root)
                pool.add(part.role, part.state, topology.whole_disks(device, self._sys_root) if device else ())
            made.append(pool)
        return made, notes

    def _md(self, machine: Machine) -> Iterator[_Pool]:
        try:
            text = machine.file(mdstat.PATH)
        except FileNotFoundError:
            return
        for array in mdstat.parse(text):
            pool = _Pool(array.device, array.device, "md", "ONLINE" if array.active else "OFFLINE")
            for device, flags in array.members:
                role, state = "spare" if "S" in flags else "data", "FAULTED" if "F" in flags else "ONLINE"
                pool.add(role, state, topology.whole_disks(device.replace("/", "!"), self._sys_root))
            yield pool

    def _plain(self, disks: Mapping[str, Disk]) -> Iterator[_Pool]:
        made: dict[str, _Pool] = {}
        for mount in Mounts(mounts()):
            below = foundation(mount, disks, self._sys_root)
            if below is not None and below.kind == "disk" and below.pool not in made:
                made[below.pool] = _Pool(below.pool, below.pool, "disk", "ONLINE")
                made[below.pool].add("data", "ONLINE", below.disks)
        yield from made.values()

    def _rows(
        self, boot_id: str, disks: Mapping[str, Disk], found: list[_Pool], parameters: Mapping[str, int]
    ) -> dict[Subject, dict[str, int]]:
        rows = {}
        for pool in found:
            told = parameters if pool.kind == "zfs" else {}
            parts = {"slices": sum(map(len, pool.disks.values()))}
            rows[self._subject(pool, None, None, boot_id)] = parts | _state([pool.state]) | dict(told)
            for (role, device), states in pool.disks.items():
                disk = disks.get(device)
                if disk is None:
                    # one that is not recorded
                    continue
                rotates = {} if disk.rotational is None else {"rotational": int(disk.rotational)}
                row = {"slices": len(states)} | _state(states) | rotates
                rows[self._subject(pool, role, device, disk.epoch)] = row
        return rows

    def _subject(self, pool: _Pool, role: str | None, device: str | None, life: str) -> Subject:
        """The pool, or one of its disks; another one where the disk has begun another life."""
        keys = {"pool": pool.pool, "name": pool.name, "system": pool.kind, "role": role, "device": device}
        epoch = "/".join(filter(None, (life, pool.kind, pool.pool, role)))
        known = epoch, tuple(keys.values())
        subject = self._subjects.get(known)
        if subject is None:
            subject = self._subjects[known] = Subject(self.name, keys, epoch)
            subject.sid = self._admit(subject)
        return subject


def _state(words: list[str]) -> dict[str, int]:
    """The worst of the states of a disk's parts; nothing where one is not known."""
    if not words or not set(words) <= set(PART_STATES):
        return {}
    return {"state": max(map(PART_STATES.index, words))}


def _parameters(machine: Machine) -> dict[str, int]:
    """What ZFS's module was told; what it does not know is left out."""
    found = {}
    for ours, name in PARAMETERS.items():
        try:
            word = machine.file(f"{_FOLDER}/{name}").strip()
        except OSError:
            continue
        if word.isdigit() and len(word) < 19:
            found[ours] = int(word)
    return found
