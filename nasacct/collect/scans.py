"""The source `scans`: how much scrubs and resilvers of ZFS, checks and resyncs of md have read.

A scrub begins at its start, which ZFS tells, and goes on over exports and restarts; what was done since the last
checkpoint is then done again, so an import is another life of it (`kstat.py` tells when that was). One that is over is
still told of until the next one begins. md tells how far it has come and not when it began, so of an array's it is sums
of a run of the collector.

While one is under way it is looked at more often, as far as half of the source's budget allows.
"""

from __future__ import annotations

import itertools
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect import kstat, mdstat, pools
from nasacct.collect.budget import affordable
from nasacct.collect.changes import Changes
from nasacct.collect.lines import ParseError
from nasacct.collect.zpool import Zpool
from nasacct.store.frame import ABSENT, Batch, Subject
from nasacct.store.schema import SCANS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nasacct.collect.machine import Listing, Machine
    from nasacct.collect.mdstat import Array
    from nasacct.collect.zpool_text import Pool
    from nasacct.store.frame import Instant

#: So often while something is under way: rows are then no longer than a sample of attribution.
_RUNNING_S = 10.0
#: A mirror is resilvered from one of its disks.
_ONCE = 100


@dataclass(slots=True)
class _Sync:
    """What md does with an array, since this run of the collector saw it first: where it was then, and is now."""

    subject: Subject
    first_bytes: int
    last_bytes: int


class Scans:
    """Looks every `interval_s`, and hands out the rows that changed.

    `admit` gives a new subject its sid; `share` is how much of a processor the source may take; `runs` is the program
    that is run instead of `zpool`.
    """

    name = SCANS.source
    streams = (SCANS.name,)
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
    ) -> None:
        self.pace_s = self._interval_s = float(interval_s)
        self._share = share
        self._admit, self._kstats, self._zpool = admit, kstats, Zpool(runs, kstats)
        self._run, self._numbers = secrets.token_hex(4), itertools.count(1)
        #: by epoch
        self._subjects: dict[str, Subject] = {}
        #: by array and function
        self._syncs: dict[tuple[str, str], _Sync] = {}
        self._changes = Changes(SCANS)

    def read(self, machine: Machine, listing: Listing) -> Batch:  # noqa: ARG002  whatever servers there are
        """Look at all pools and arrays once."""
        cpu_us, began = self._zpool.cpu_us, time.thread_time()
        found, notes = self._zpool.status()
        batch = Batch(self.name, machine.now(), [])
        rows: dict[Subject, dict[str, int | None]] = {}
        for pool in found:
            row = self._of_zfs(pool)
            if row is not None:
                rows[row[0]] = row[1]
        try:
            arrays = mdstat.parse(machine.file(mdstat.PATH))
        except FileNotFoundError:
            arrays = []
        except (OSError, ParseError) as error:
            arrays, notes = [], [*notes, f"/{mdstat.PATH}: {error}"]
        rows |= self._of_md(arrays, machine.boot_id, batch.at)
        batch.cpu_us = self._zpool.cpu_us - cpu_us
        batch.listed, batch.complete, batch.note = list(rows), not notes, "; ".join(notes)
        values = [[_present(row.get(measure.name)) for measure in SCANS.measures] for row in rows.values()]
        batch.rows = self._changes.rows(list(rows), np.array(values, np.int64))
        if batch.complete:
            self._changes.forget_others(self._subjects, set(rows))
        wanted_s = (
            min(self._interval_s, _RUNNING_S) if any(row["running"] for row in rows.values()) else self._interval_s
        )
        self.pace_s = affordable(wanted_s, batch.cpu_us / 1e6 + time.thread_time() - began, self._share)
        return batch

    def close(self) -> None:
        """End the program, if one is running."""
        self._zpool.close()

    def _of_zfs(self, pool: Pool) -> tuple[Subject, dict[str, int | None]] | None:
        """Its scrub or resilver, the last one if none is under way; None where it never had any."""
        scan = pool.scan
        if scan is None or scan.started_s is None:
            return None
        imported = self._imported(pool.name)
        epoch = f"zfs/{pool.guid}/{scan.function}-{scan.started_s}/{imported}"
        subject = self._subjects.get(epoch)
        if subject is None:
            about: dict[str, str | int | None] = {"name": pool.name, "born_ns": scan.started_s * 1_000_000_000}
            keys = {"pool": pool.guid, "function": scan.function}
            subject = self._subjects[epoch] = Subject(self.name, keys, epoch, about=about)
            subject.sid = self._admit(subject)
        return subject, {
            "issued_bytes": scan.issued_bytes,
            "to_examine_bytes": scan.to_examine_bytes,
            "running": int(scan.state == "scanning" and not scan.paused),
            "copies_hundredths": pool.copies_hundredths if scan.function == "scrub" else _ONCE,
        }

    def _of_md(self, arrays: list[Array], boot_id: str, at: Instant) -> dict[Subject, dict[str, int | None]]:
        """What is done with arrays, and what was done with them last."""
        rows: dict[Subject, dict[str, int | None]] = {}
        known, self._syncs = self._syncs, {}
        for array in arrays:
            sync = array.sync
            if sync is None:
                continue
            key = array.device, sync.function
            one = known.get(key)
            if one is None or sync.done_bytes < one.last_bytes:
                keys = {"pool": array.device, "function": sync.function}
                epoch = f"{boot_id}/md/{array.device}/{sync.function}-{self._run}-{next(self._numbers)}"
                subject = Subject(self.name, keys, epoch, about={"absent_boot_ns": at.boot_ns})
                subject.sid = self._admit(subject)
                one = _Sync(subject, sync.done_bytes, sync.done_bytes)
            one.last_bytes = sync.done_bytes
            self._syncs[key] = one
            rows[one.subject] = {
                "issued_bytes": sync.done_bytes - one.first_bytes,
                "to_examine_bytes": sync.whole_bytes,
                "running": 1,
                "copies_hundredths": array.read_hundredths,
            }
        for key in known.keys() - self._syncs.keys():
            self._changes.forget(known[key].subject)
        return rows

    def _imported(self, pool: str) -> int:
        """When the pool was imported, as its table of counters tells; 0 where it does not."""
        try:
            return kstat.parse(kstat.read(self._kstats / pool / "iostats")).made_ns
        except (OSError, ParseError):
            return 0


def _present(value: int | None) -> int:
    return ABSENT if value is None else value
