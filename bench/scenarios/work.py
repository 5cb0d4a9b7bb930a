"""What a round of each stream has the disks do: at once, and when it is written back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.scenarios.disks import BLOCK_MB

if TYPE_CHECKING:
    from bench.scenarios.asked import Streams
    from bench.scenarios.disks import Floats, Kind

_KB = 1.024e-3
#: A stream that reads on is served so many IOs in a row before somebody else's are.
_BATCH = 4.0
#: MB of metadata read for one lookup that misses memory, of which each next one finds some: a dnode block of ZFS, a
#: block of ext4's inode table.
_INODES_MB = {True: 16 * _KB, False: 4 * _KB}
#: A sorted write of whole stripes, MB a disk. Writes of a change, and of a remove, among many of a group.
_WRITE_IO_MB, _CHANGE, _REMOVE = 0.2, {True: 0.15, False: 0.3}, 0.4
#: MB whose freeing takes one IO more: of block pointers, space maps, bitmaps.
_FREED_MB = 24.0
#: Writes of a commit that one waits for: ZIL; data, and the journal's blocks.
_COMMIT = {True: 1.0, False: 2.0}
_MOST_COMMIT_MB = 0.131


class Cost(NamedTuple):
    """What a round has disks do before it is answered; arrays are of streams."""

    time: Floats  #: disk time
    reading: Floats  #: part of it that reads
    reads: Floats  #: IOs of all disks
    read_mb: Floats
    writes: Floats
    write_mb: Floats
    misses: Floats  #: calls that wait for a disk
    data_mb: Floats  #: MB that come into memory: data, metadata
    inodes_mb: Floats
    io_s: float  #: seconds one random IO takes


class Work:
    """Of streams on disks of a kind; what is written back does not change with the hour."""

    def __init__(self, kind: Kind, streams: Streams, *, synced: bool) -> None:
        self.kind, self.streams = kind, streams
        zfs = kind.transactional
        self.read_each, self.write_each = streams["read_kb"] * _KB, streams["write_kb"] * _KB
        self.record = streams["record_kb"] * _KB if zfs else np.full(len(self.read_each), BLOCK_MB)
        self.streaming = np.concatenate([streams["streams"] > 0, np.zeros(len(self.record), bool)])
        self.in_place = streams["writes"] * streams["in_place"]
        self.inode_mb = _INODES_MB[zfs]
        self.commits = streams["commits"] * synced
        per_commit = streams["writes"] / np.maximum(streams["commits"], 1e-9) * self.write_each
        self.commit_mb = np.clip(per_commit, BLOCK_MB, _MOST_COMMIT_MB)
        self._writeback()

    def _writeback(self) -> None:
        kind, streams = self.kind, self.streams
        zfs = kind.transactional
        small_reads, small_writes = kind.small
        self.dirty_mb = streams["writes"] * self.write_each + (streams["changes"] + streams["removes"]) * BLOCK_MB
        if zfs:  # whole records anew, one after the other
            records = np.maximum(self.write_each, self.record)
            mb = ((streams["writes"] - self.in_place) * self.write_each + self.in_place * records) * kind.copies
            ios, scattered = mb / _WRITE_IO_MB, np.zeros(len(mb))
        else:  # what is written at random stays where it was
            mb = (streams["writes"] - self.in_place) * self.write_each * kind.copies
            ios, scattered = mb / _WRITE_IO_MB, self.in_place
            mb = mb + self.in_place * self.write_each * small_writes
        metadata = streams["changes"] * _CHANGE[zfs] + streams["removes"] * _REMOVE
        self.write_reads = (scattered + metadata * (not zfs)) * small_reads
        scattered_writes = (scattered + metadata) * small_writes
        self.writes = ios + scattered_writes
        self.write_mb = mb + metadata * small_writes * BLOCK_MB
        moves = (ios + metadata * small_writes * zfs) * kind.near()
        # in place, but sorted: half way between near and anywhere
        moves = moves + (self.write_reads + scattered_writes - metadata * small_writes * zfs) * (
            (kind.near() + kind.position(8.0)) / 2
        )
        self.write_time = kind.time(moves, self.write_reads * BLOCK_MB, self.write_mb)
        self.write_io_time = float(kind.time(kind.near(), 0.0, _WRITE_IO_MB))
        self.free_ios = streams["removes"] * streams["freed_mb"] / _FREED_MB * (streams["freed_mb"] > 1)
        self.free_time = kind.time(
            self.free_ios * (kind.near() + kind.position(4.0)) / 2, 0.0, self.free_ios * BLOCK_MB
        )

    def cost(self, data: Floats, metadata: Floats, own: Floats, position: float) -> Cost:
        """With these parts of data and metadata not in memory, and this part of the disk time each stream's own."""
        kind, streams = self.kind, self.streams
        on = streams["streams"] > 0
        # whole records of ZFS, and whole blocks; a stream has use for all that it reads
        mb = np.where(on, self.read_each, np.ceil(np.maximum(self.read_each / self.record, 1) - 1e-9) * self.record)
        touched = (
            np.where(
                on,
                np.ceil(mb / kind.stream_mb),
                kind.touched(np.minimum(mb, self.record)) * np.maximum(mb / self.record, 1),
            )
            if kind.transactional
            else np.where(on, mb / kind.stream_mb, 1.0)
        )
        touched = np.where(on, mb / kind.stream_mb, touched)
        moving = np.where(on, (1 - own) / _BATCH, 1.0)
        missed = streams["reads"] * data
        # a record of which only a part is written has to be read first
        partly = self.in_place * (self.write_each < 0.99 * self.record) * data if kind.transactional else 0 * data
        looked = streams["lookups"] * metadata
        inode_touched = kind.touched(np.array([self.inode_mb]))[0]
        partly_touched = kind.touched(self.record)
        reads = missed * touched + partly * partly_touched + looked * inode_touched
        read_mb = missed * mb + partly * self.record + looked * self.inode_mb
        moves = (missed * touched * moving + partly * partly_touched + looked * inode_touched) * position
        reading = kind.time(moves, read_mb)
        small_reads, small_writes = kind.small
        committed = self.commits * _COMMIT[kind.transactional]
        writes, commit_reads = committed * small_writes, committed * small_reads
        write_mb = self.commits * self.commit_mb * small_writes
        writing = kind.time((writes + commit_reads) * position, commit_reads * BLOCK_MB, write_mb)
        time = reading + writing
        return Cost(
            time,
            reading / np.maximum(time, 1e-15),
            reads + commit_reads,
            read_mb + commit_reads * BLOCK_MB,
            writes,
            write_mb,
            missed + partly + looked + self.commits,
            missed * mb + partly * self.record,
            looked * self.inode_mb,
            position + float(kind.time(0.0, 0.05)) * kind.disks * kind.parallel,
        )

    def asked_mb(self, rounds: Floats) -> Floats:
        """MB a second of each stream's data, then of its metadata, that are asked for, in memory or not."""
        streams = self.streams
        data = rounds * (streams["reads"] * self.read_each + streams["writes"] * self.write_each)
        return np.concatenate([data, rounds * streams["lookups"] * self.inode_mb])

    def came_mb(self, rounds: Floats, cost: Cost) -> Floats:
        """MB a second that come into memory: what was read from disks, and what is written."""
        data = rounds * (cost.data_mb + self.streams["writes"] * self.write_each)
        return np.concatenate([data, rounds * cost.inodes_mb])
