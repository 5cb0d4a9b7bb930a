"""The text of /proc/diskstats and the source `disks`: what every whole disk did.

Printed by diskstats_show (block/genhd.c), described in Documentation/admin-guide/iostats.rst. Major and minor number
and name, then up to 17 numbers, of which these are one line's:

    254 64 vde 70 1 2266 3483 2018 1144 4761304 549724 0 40040 553293 9 0 16777224 19 30 67

    reads, merged, sectors, ms | writes, merged, sectors, ms | in flight, ms busy, ms weighted by the queue
    | since 4.18: discards, merged, sectors, ms | since 5.5: flushes, ms

A sector is 512 bytes on every disk. All ms are cut to 32 bits. Before 2.6.25 a partition had only four numbers: reads,
sectors, writes, sectors. Numbers after the known ones are kept out and counted; any other length is a broken line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect.changes import Changes
from nasacct.collect.lines import ParseError, fields, lines, number
from nasacct.store.frame import ABSENT, Batch, Subject
from nasacct.store.schema import DISKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nasacct.collect.machine import Listing, Machine

#: The names of the numbers, in the order of the line.
NAMES = tuple(measure.name for measure in DISKS.measures)
#: What a partition had before 2.6.25.
OLD_PARTITION = ("reads", "sectors_read", "writes", "sectors_written")
_LENGTHS = (11, 15, len(NAMES))

PATH = "proc/diskstats"


@dataclass(frozen=True, slots=True)
class DiskStats:
    """The text, understood: by device the numbers it has, and by device the numbers after the known ones."""

    devices: Mapping[str, Mapping[str, int]]
    surplus: Mapping[str, tuple[int, ...]]

    @property
    def unknown_fields(self) -> int:
        """How many numbers were kept out."""
        return sum(map(len, self.surplus.values()))


def parse(text: bytes | str) -> DiskStats:
    """Understand the whole text. Raises ParseError where that would need a guess."""
    devices: dict[str, dict[str, int]] = {}
    surplus: dict[str, tuple[int, ...]] = {}
    for line_no, line in enumerate(lines(text), 1):
        words = fields(line)
        if not words:
            continue
        if len(words) < 3:
            raise ParseError(line_no, "it has no major number, minor number and name: the line was cut")
        number(words[0], line_no)
        number(words[1], line_no)
        name = words[2]
        if name.isdigit():
            raise ParseError(line_no, f"{name!r} stands where a device's name must")
        if name in devices:
            raise ParseError(line_no, f"{name} stands in an earlier line already")
        values = _values(words, line_no)
        names = OLD_PARTITION if len(values) == len(OLD_PARTITION) else NAMES
        devices[name] = dict(zip(names, values, strict=False))
        if len(values) > len(NAMES):
            surplus[name] = tuple(values[len(NAMES) :])
    if not devices:
        raise ParseError(1, "it has no device; read the file again")
    return DiskStats(devices, surplus)


def as_json(stats: DiskStats) -> dict[str, dict[str, object]]:
    """The devices' numbers by name; those after the known ones as a list `unknown` in the device's object."""
    return {
        name: {**values, **({"unknown": list(stats.surplus[name])} if name in stats.surplus else {})}
        for name, values in stats.devices.items()
    }


def _values(words: list[str], line_no: int) -> list[int]:
    values = [number(word, line_no) for word in words[3:]]
    if len(values) < _LENGTHS[-1] and len(values) not in (len(OLD_PARTITION), *_LENGTHS):
        raise ParseError(line_no, f"{words[2]} has {len(values)} numbers, which no kernel prints: the line was cut")
    return values


class Disks:
    """Hands out the rows of the whole disks that changed."""

    name = "disks"
    streams = (DISKS.name,)

    def __init__(self, admit: Callable[[Subject], int]) -> None:
        self._admit = admit
        self._changes = Changes(DISKS)
        self._subjects: dict[tuple[str, str], Subject] = {}

    def read(self, machine: Machine, listing: Listing) -> Batch:  # noqa: ARG002  the disks are the machine's, not servers'
        """Read every whole disk that exists. A disk without a line, or with a broken one, is in `Batch.failed`."""
        disks = machine.disks()
        at = machine.now()
        text = machine.file(PATH)
        subjects: dict[tuple[str, str], Subject] = {}
        for disk in disks:
            key = disk.epoch, disk.device
            subject = self._subjects.get(key)
            if subject is None or subject.keys["disk"] != disk.identity:
                about = {"rotational": None if disk.rotational is None else int(disk.rotational), **disk.about}
                keys = {"disk": disk.identity, "device": disk.device}
                subject = Subject(self.name, keys, disk.epoch, about=about)
                subject.sid = self._admit(subject)
            subjects[key] = subject
        for key in self._subjects.keys() - subjects.keys():
            self._changes.forget(self._subjects[key])
        self._subjects = subjects
        batch = Batch(self.name, at, list(subjects.values()))
        by_device = {subject.keys["device"]: subject for subject in subjects.values()}
        rows = _rows(text, by_device, batch)
        batch.failed.update(
            {s: f"{PATH} has no line for it" for s in batch.listed or () if s not in rows | batch.failed}
        )
        values = np.array(list(rows.values()), np.int64).reshape(-1, DISKS.width)
        batch.rows = self._changes.rows(list(rows), values)
        return batch


def _rows(text: bytes, by_device: Mapping[str | None, Subject], batch: Batch) -> dict[Subject, list[int]]:
    """The rows of these devices; what is wrong with their lines, and what was kept out, goes to the batch."""
    rows: dict[Subject, list[int]] = {}
    for line_no, line in enumerate(text.decode("utf-8", "replace").splitlines(keepends=True), 1):
        words = line.split()
        subject = by_device.get(words[2]) if len(words) > 2 else None
        if subject is None:
            continue
        try:
            # what follows the last newline was cut, if only a digit of its last number
            values = _values(words if line.endswith("\n") else words[:3], line_no)
        except ParseError as error:
            batch.failed[subject] = f"{PATH} is broken: {error}"
            continue
        batch.unknown_fields += max(len(values) - len(NAMES), 0)
        if len(values) == len(OLD_PARTITION):
            found = dict(zip(OLD_PARTITION, values, strict=True))
            rows[subject] = [found.get(name, ABSENT) for name in NAMES]
        else:
            rows[subject] = [*values, *[ABSENT] * len(NAMES)][: len(NAMES)]
    return rows
