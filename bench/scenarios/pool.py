"""A pool over some hours, second by second: who gets how much of the disks' time, and what the disks do for it.

Calls that wait for a disk share it by how many of them wait and how long each takes, as a queue that serves in turn
does; so do what is written back and local jobs, with the queues they are allowed. Of a stream no more calls wait than
`outstanding`: what cannot be asked is not, so neighbours of a full disk get less done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.scenarios.disks import BLOCK_MB
from bench.scenarios.memory import Memory
from bench.scenarios.work import Work
from bench.scenarios.writeback import Writeback

if TYPE_CHECKING:
    from bench.scenarios.asked import Local, Streams
    from bench.scenarios.disks import Floats, Kind
    from bench.scenarios.writeback import Synced

#: Seconds after which caches, queues and interleaving are looked at again.
LOOK_S = 5
#: IOs at a time that writeback may have at a disk: few, more when much is dirty (zfs_vdev_async_write_max_active).
_WRITING, _WRITING_MORE = 2.0, 8.0
_TINY = 1e-12
#: Of a round, calls that miss memory at least, when it is asked how many rounds may wait.
_FEWEST = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """What there is."""

    kind: Kind
    streams: Streams
    local: list[Local]
    memory_mb: Floats  #: seconds: memory for files; may shrink
    dirty_mb: float
    period_s: int  #: transaction groups' timeout, or the age at which pages are written
    synced: bool = True  #: commits wait for the disks (not ZFS's sync=disabled)
    slower: Floats | None = None  #: seconds: how many times as long one disk takes
    slow_disk: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What happened; arrays are seconds x streams, seconds x local jobs, or seconds."""

    done: Floats  #: rounds
    waiting: Floats  #: rounds that wait at the end of the second
    held_up: Floats  #: seconds: part of their writes that writers got done
    time: Floats  #: disk time of streams, when the disks spent it
    local_time: Floats
    read_mb: Floats  #: of streams, from disks
    local_mb: Floats  #: of local jobs, from disks
    local_written_mb: Floats  #: what they wrote, before it is copied
    disk: dict[str, Floats]  #: seconds: reads, read_mb, writes, write_mb of all disks; share of time reading
    busy: Floats  #: seconds: part of the time that the busiest disk works
    depth: Floats  #: seconds: IOs at a disk
    backlog_s: Floats  #: seconds of disk time that wait
    wait_s: Floats  #: seconds that a call which misses memory is at a disk
    misses: Floats  #: calls of a round that miss memory or commit
    groups: list[Synced]


def simulated(pool: Pool) -> Course:
    """The course of a pool: who got what of the disks."""
    return _Run(pool).all()


class _Run:
    """One simulation. Disk time is of one disk, so no more than 1 is done in a second."""

    def __init__(self, pool: Pool) -> None:
        self.pool, kind, streams = pool, pool.kind, pool.streams
        self.seconds, self.count = streams.rounds.shape
        self.work = Work(kind, streams, synced=pool.synced)
        # of a stream, data and then metadata
        sets = np.concatenate([streams["set_mb"], streams["inodes_mb"]])
        usual = streams.rounds.mean(axis=0) * (streams.rounds[0] > 0)
        self.memory = Memory.warm(sets, self.work.asked_mb(usual), self.work.streaming, float(pool.memory_mb[0]))
        self.dirty = Writeback(
            self.work.dirty_mb, self.work.write_time, pool.dirty_mb, kind.transactional, pool.period_s
        )
        self.wanted = np.array([each.wanted for each in pool.local]).reshape(len(pool.local), self.seconds)
        self.outstanding = np.array([each.of["outstanding"] for each in pool.local])
        self.freed = np.zeros(self.count)
        self.own = np.zeros(self.count)
        self.depth = 1.0
        shape = (self.seconds, self.count)
        self.kept = {name: np.zeros(shape) for name in "done waiting time read_mb misses".split()}
        self.local = {name: np.zeros((self.seconds, len(pool.local))) for name in ("time", "mb", "written_mb")}
        self.of_disk = {name: np.zeros(self.seconds) for name in "reads read_mb writes write_mb reading".split()}
        self.each = {name: np.zeros(self.seconds) for name in "held_up busy depth backlog_s wait_s".split()}

    def all(self) -> Course:
        pool = self.pool
        slower = np.ones(self.seconds) if pool.slower is None else pool.slower
        waiting = np.zeros(self.count)
        writes = (self.work.dirty_mb > 0).astype(float)
        for second in range(self.seconds):
            if second % LOOK_S == 0:
                self._look()
            due = self.dirty.due(second)
            let = self.dirty.let
            asked = waiting + pool.streams.rounds[second] * (1 - writes * (1 - let))
            demand = asked * self.sync
            weight = np.minimum(asked, self.limit) * self.sync
            free = float(self.freed @ self.work.free_time)
            writing = (_WRITING + _WRITING_MORE * self.dirty.dirty) * self.work.write_io_time
            all_demand = np.concatenate([demand, [due, min(free, 0.5)], self.wanted[:, second]])
            all_weight = np.concatenate([weight, [writing, writing], self.local_weight])
            got = _shared(all_demand, all_weight, 1.0 / slower[second])
            synced, (back, freeing), local = got[: self.count], got[self.count : self.count + 2], got[self.count + 2 :]
            done = np.where(demand > _TINY, asked * synced / np.maximum(demand, _TINY), asked)
            waiting = np.minimum(asked - done, self.limit)
            written = self.dirty.written(back / due if due > _TINY else 1.0)
            freed = self.freed * (freeing / free if free > _TINY else 1.0)
            self.freed = self.freed - freed + done * (self.work.free_time > 0)
            self.dirty.add(done)
            self._keep(second, done, waiting, synced, written, freed, local)
            self.each["held_up"][second] = let
            self.each["busy"][second] = min(float(got.sum()) * slower[second], 1.0)
            self.each["backlog_s"][second] = float(waiting @ self.sync)
            if second % LOOK_S == LOOK_S - 1:
                self._age(second)
        kept, each = self.kept, self.each
        return Course(
            kept["done"],
            kept["waiting"],
            each["held_up"],
            kept["time"],
            self.local["time"],
            kept["read_mb"],
            self.local["mb"],
            self.local["written_mb"],
            self.of_disk,
            each["busy"],
            each["depth"],
            each["backlog_s"],
            each["wait_s"],
            kept["misses"],
            self.dirty.synced,
        )

    def _look(self) -> None:
        """What a round costs now."""
        missing = self.memory.misses(self.work.streaming)
        data, metadata = missing[: self.count], missing[self.count :]
        position = self.pool.kind.position(self.depth)
        self.cost = self.work.cost(data, metadata, self.own, position)
        self.sync = self.cost.time
        # only calls that miss memory wait, so hardly any of a stream that is in memory
        self.limit = self.pool.streams["outstanding"] / np.maximum(self.cost.misses, _FEWEST)
        kind = self.pool.kind
        self.local_ios = [kind.near() if each.of["near"] else position for each in self.pool.local]
        sizes = [max(each.of.get("read_kb", 0.0), each.of.get("write_kb", 0.0)) * 1.024e-3 for each in self.pool.local]
        takes = [
            kind.time(moves, *((size, 0.0) if "read_kb" in each.of else (0.0, size * kind.copies)))
            for moves, size, each in zip(self.local_ios, sizes, self.pool.local, strict=True)
        ]
        self.local_takes, self.local_sizes = np.array(takes), np.array(sizes)
        self.local_weight = self.local_takes * self.outstanding

    def _keep(
        self, second: int, done: Floats, waiting: Floats, synced: Floats, written: Floats, freed: Floats, local: Floats
    ) -> None:
        kept, work, cost, disk = self.kept, self.work, self.cost, self.of_disk
        kept["done"][second], kept["waiting"][second] = done, waiting
        kept["time"][second] = synced + written * work.write_time + freed * work.free_time
        kept["read_mb"][second] = done * cost.read_mb
        kept["misses"][second] = cost.misses
        ios = local / np.maximum(self.local_takes, _TINY)
        reads = np.array(["read_kb" in each.of for each in self.pool.local], bool)
        self.local["time"][second] = local
        self.local["mb"][second] = ios * self.local_sizes * reads
        self.local["written_mb"][second] = ios * self.local_sizes * ~reads
        disk["reads"][second] = done @ cost.reads + written @ work.write_reads + ios[reads].sum()
        disk["read_mb"][second] = (
            done @ cost.read_mb + written @ work.write_reads * BLOCK_MB + self.local["mb"][second].sum()
        )
        disk["writes"][second] = done @ cost.writes + written @ work.writes + freed @ work.free_ios + ios[~reads].sum()
        disk["write_mb"][second] = (
            done @ cost.write_mb + written @ work.write_mb + freed @ work.free_ios * BLOCK_MB
            + (ios * self.local_sizes)[~reads].sum() * self.pool.kind.copies
        )  # fmt: skip
        total = kept["time"][second].sum() + local.sum()
        disk["reading"][second] = (synced @ cost.reading + local[reads].sum()) / max(total, _TINY)
        held_up = local < self.wanted[:, second] - _TINY  # local jobs who would have more: all their IOs wait
        at_disk = float(np.minimum(waiting, self.limit) @ cost.misses + self.outstanding[held_up].sum())
        at_disk /= self.pool.kind.disks
        busy = min(float(total), 0.95)
        self.each["depth"][second] = (
            busy * self.pool.kind.parallel / (1 - busy * (self.pool.kind.rotational)) ** 0.5 + at_disk
        )
        self.each["wait_s"][second] = cost.io_s / (1 - min(busy, 0.9))

    def _age(self, second: int) -> None:
        """Memory, queues and who reads beside whom, after LOOK_S seconds."""
        last = slice(second - LOOK_S + 1, second + 1)
        rounds = self.kept["done"][last].mean(axis=0)
        came = self.work.came_mb(rounds, self.cost) * LOOK_S
        self.memory.after(came, self.work.asked_mb(rounds), float(self.pool.memory_mb[second]), LOOK_S)
        time = self.kept["time"][last].sum(axis=0)
        self.own = time / max(time.sum() + self.local["time"][last].sum(), _TINY)
        self.depth = max(float(self.each["depth"][last].mean()), 1.0)


def _shared(demand: Floats, weight: Floats, most: float) -> Floats:
    """Disk time of each: all that is asked for, or as much as there is, by weight."""
    if demand.sum() <= most:
        return demand
    got, open_ = np.zeros(len(demand)), demand > 0
    left = most
    while open_.any():
        each = left / max(float(weight[open_].sum()), _TINY)
        full = open_ & (demand <= each * weight)
        if not full.any():
            got[open_] = each * weight[open_]
            break
        got[full] = demand[full]
        left -= float(demand[full].sum())
        open_ &= ~full
    return got
