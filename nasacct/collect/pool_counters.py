"""The source `pools`: what each ZFS pool committed, and who waited for it.

    txgs            the last hundred transaction groups (`txgs.py`): those that are new are added up here
    iostats         what went through the ARC and past it, and what was trimmed
    dmu_tx_assign   a histogram of how long transactions waited for a group; empty while nobody has
    state           ONLINE, DEGRADED, SUSPENDED
    ../dmu_tx       of the whole host: transactions that were assigned, delayed, held up

The first of these can only be added up by whoever looks, and the third is set to 0 by who writes to its file. So all of
a pool is sums since this run of the collector saw it first, or since it was imported in that run. Whether it scrubs or
resilvers no file says.
"""

from __future__ import annotations

import errno
import itertools
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect import kstat, pools, txgs
from nasacct.collect.changes import Changes
from nasacct.collect.lines import ParseError
from nasacct.collect.txgs import Committed, History
from nasacct.store.frame import ABSENT, Batch, Subject
from nasacct.store.schema import POOL_STATES, POOLS, WAITS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nasacct.collect.machine import Listing, Machine
    from nasacct.store.frame import Instant

#: Our names for iostats'.
_IOSTATS = {
    "arc_reads": ("arc_read_count",),
    "arc_read_bytes": ("arc_read_bytes",),
    "arc_writes": ("arc_write_count",),
    "arc_written_bytes": ("arc_write_bytes",),
    "direct_read_bytes": ("direct_read_bytes",),
    "direct_written_bytes": ("direct_write_bytes",),
    "trimmed_bytes": ("trim_bytes_written", "autotrim_bytes_written", "simple_trim_bytes_written"),
}
#: Our names for dmu_tx's.
_DMU_TX = {
    "tx_assigned": "dmu_tx_assigned",
    "tx_delayed": "dmu_tx_dirty_delay",
    "tx_throttled": "dmu_tx_dirty_throttle",
    "tx_over_max": "dmu_tx_dirty_over_max",
    "tx_log_delayed": "dmu_tx_wrlog_delay",
}
#: Our names for what is added up of transaction groups, in the order of `txgs.SUMMED`; times are ns there.
_TXGS = ("dirty_bytes", "read_bytes", "written_bytes", "reads", "writes", "open_us", "quiesce_us", "wait_us", "sync_us")
_FIRST, _LAST = min(WAITS.values()), max(WAITS.values())
#: What reading says of a pool that is no more.
_GONE = (errno.ENOENT, errno.EIO)


@dataclass(slots=True)
class _Seen:
    """What the files of a pool say: since when they count (ns of CLOCK_MONOTONIC_RAW), and counters by our names."""

    made_ns: int
    state: str
    history: History
    counters: dict[str, int]


@dataclass(slots=True)
class _Pool:
    """One pool since it was met: the table that said so, what was counted then last, and what was added up."""

    subject: Subject
    made_ns: int
    committed: Committed
    last: dict[str, int]
    sums: dict[str, int]


class Pools:
    """Reads every pool each `pace_s`, and hands out the rows that changed. `admit` gives a new subject its sid."""

    name = POOLS.source
    streams = (POOLS.name,)
    optional = True

    def __init__(self, admit: Callable[[Subject], int], pace_s: float, *, kstats: Path = pools.KSTATS) -> None:
        self.pace_s = float(pace_s)
        self._admit, self._kstats = admit, kstats
        self._run, self._numbers = secrets.token_hex(4), itertools.count(1)
        #: by the pool's guid
        self._pools: dict[str, _Pool] = {}
        self._host: Subject | None = None
        self._looked_ns: int | None = None
        self._changes = Changes(POOLS)

    def read(self, machine: Machine, listing: Listing) -> Batch:  # noqa: ARG002  whatever servers there are
        """Read all there are. Raises OSError where there is no ZFS."""
        batch = Batch(self.name, machine.now(), [])
        rows: dict[Subject, dict[str, int]] = {}
        there = pools.guids(self._kstats)
        for name, guid in there.items():
            try:
                seen = _look(self._kstats / name)
            except OSError as error:
                if error.errno not in _GONE:
                    raise
            except ParseError as error:
                known = self._pools.get(guid)
                batch.broken(known.subject if known else None, f"{name}: {error}")
            else:
                pool = self._meet(guid, name, seen, machine.boot_id, batch.at)
                rows[pool.subject] = _row(pool, seen)
                batch.unknown_fields += seen.history.surplus + (seen.state not in POOL_STATES)
        self._read_host(machine, batch, rows)
        batch.listed = [*rows, *batch.failed]
        values = [[row.get(measure.name, ABSENT) for measure in POOLS.measures] for row in rows.values()]
        batch.rows = self._changes.rows(list(rows), np.array(values, np.int64))
        self._forget(set(batch.listed))
        self._looked_ns = batch.at.boot_ns
        return batch

    def close(self) -> None:
        """Nothing is kept open."""

    def _meet(self, guid: str, name: str, seen: _Seen, boot_id: str, at: Instant) -> _Pool:
        """The pool as it is added up, anew if it was imported anew."""
        pool = self._pools.get(guid)
        if pool is not None and pool.made_ns == seen.made_ns:
            pool.subject.about["name"] = name
            return pool
        if pool is not None:
            self._changes.forget(pool.subject)
        born_ns = kstat.born_boot_ns(seen.made_ns, at)
        imported = self._looked_ns is not None and born_ns >= self._looked_ns
        done = [one.txg for one in seen.history.committed]
        begin = None if imported or not done else max(done)
        last = dict.fromkeys(seen.counters, 0) if imported else seen.counters
        about: dict[str, str | int | None] = {"name": name, "absent_boot_ns": born_ns if imported else at.boot_ns}
        epoch = f"{boot_id}/{guid}/{self._run}-{next(self._numbers)}"
        subject = Subject(self.name, {"pool": guid}, epoch, about=about)
        subject.sid = self._admit(subject)
        pool = _Pool(subject, seen.made_ns, Committed(begin), last, dict.fromkeys(seen.counters, 0))
        self._pools[guid] = pool
        return pool

    def _read_host(self, machine: Machine, batch: Batch, rows: dict[Subject, dict[str, int]]) -> None:
        """What ZFS counts of all pools together: its own counters, since its module was loaded."""
        try:
            table = kstat.parse(kstat.read(self._kstats / "dmu_tx"))
            found = {ours: table.number(name) for ours, name in _DMU_TX.items()}
        except (OSError, ParseError) as error:
            batch.broken(self._host, f"dmu_tx: {error}")
            return
        epoch = f"{machine.boot_id}/dmu_tx/{table.made_ns}"
        if self._host is None or self._host.epoch != epoch:
            about: dict[str, str | int | None] = {"born_boot_ns": kstat.born_boot_ns(table.made_ns, batch.at)}
            self._host = Subject(self.name, {"pool": None}, epoch, about=about)
            self._host.sid = self._admit(self._host)
        rows[self._host] = {name: value for name, value in found.items() if value is not None}

    def _forget(self, there: set[Subject]) -> None:
        for guid, pool in list(self._pools.items()):
            if pool.subject not in there:
                del self._pools[guid]
                self._changes.forget(pool.subject)


def _look(folder: Path) -> _Seen:
    """Read a pool's files. Raises OSError, ParseError."""
    iostats = kstat.parse(kstat.read(folder / "iostats"))
    state = kstat.read(folder / "state").decode("ascii", "replace").strip()
    counters = _waits(kstat.read(folder / "dmu_tx_assign"))
    for ours, names in _IOSTATS.items():
        values = [value for value in map(iostats.number, names) if value is not None]
        if values:
            counters[ours] = sum(values)
    return _Seen(iostats.made_ns, state, txgs.parse(kstat.read(folder / "txgs")), counters)


def _waits(text: bytes) -> dict[str, int]:
    """The buckets of a histogram of ns by powers of two, which is printed up to the last one that is not 0."""
    found = dict.fromkeys(WAITS, 0)
    table = kstat.parse(text) if text else None
    for name in table.rows if table else ():
        bound, _, unit = name.partition(" ")
        if table and unit == "ns" and bound.isdigit():
            power = int(bound).bit_length() - 1
            found[f"waits_{min(max(power, _FIRST), _LAST)}"] += table.number(name) or 0
    return found


def _row(pool: _Pool, seen: _Seen) -> dict[str, int]:
    """What the pool comes to now. Without a history of its groups, nothing is known of them."""
    for name, now in seen.counters.items():
        before = pool.last.get(name, now)
        # fallen: somebody has set it to 0
        pool.sums[name] = pool.sums.get(name, 0) + (now - before if now >= before else now)
    pool.last = seen.counters
    row = {name: pool.sums[name] for name in seen.counters}
    if seen.state in POOL_STATES:
        row["state"] = POOL_STATES.index(seen.state)
    if seen.history.groups:
        done = pool.committed
        done.look(seen.history)
        row |= {"committed": done.count, "missed": done.missed, "longest_sync_us": done.longest_ns // 1000}
        row["pending_us"] = seen.history.pending_ns(kstat.clocks()[0]) // 1000
        for name, total in zip(_TXGS, done.sums, strict=True):
            row[name] = total // 1000 if name.endswith("_us") else total
    return row
