"""The text of /proc/mdstat: arrays of md, their disks, and how far a check or resync has come.

Printed by md_seq_show (drivers/md/md.c, md-raid*.c), described in md(4). An array has a line, one of its sizes, and one
for what is done with it:

    md1 : active raid5 vds[2](S) vdr[1] vdq[0]
          63488 blocks super 1.2 level 5, 512k chunk, algorithm 2 [2/2] [UU]
          [=======>.............]  check = 36.0% (23044/63488) finish=0.0min speed=7681K/sec

(F) is a failed disk, (S) a spare one; [2/2] is how many there should be and how many work. Progress is in KiB of each
disk; of RAID10, but for its recovery, of the array. Lines of another form say nothing here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nasacct.collect.lines import ParseError, fields, lines, number

if TYPE_CHECKING:
    from collections.abc import Sequence

PATH = "proc/mdstat"
_MEMBER = re.compile(r"(?P<device>[^\[\]\s]+)\[\d+\](?P<flags>(?:\([A-Z]\))*)", re.ASCII)
_PROGRESS = re.compile(r"\s(?P<function>[a-z]+) =\s*[\d.]+% \((?P<done>\d+)/(?P<whole>\d+)\)", re.ASCII)
_WORKING = re.compile(r"\[\d{1,6}/(\d{1,6})\]", re.ASCII)
_COPIES = re.compile(r"(\d{1,4}) (?:near|far|offset)-copies", re.ASCII)
_HEADS = ("Personalities", "unused")


@dataclass(frozen=True, slots=True)
class Sync:
    """What is done with an array: check, resync, recovery, reshape; bytes done and in all, of each disk."""

    function: str
    done_bytes: int
    whole_bytes: int


@dataclass(frozen=True, slots=True)
class Array:
    """One array: its device, `active` or not, level (None: it has none now), members with flags such as F and S.

    `working` is how many disks it has that work (None: not told), `copies` how often RAID10 has each block.
    """

    device: str
    active: bool
    level: str | None
    members: tuple[tuple[str, str], ...]
    working: int | None = None
    copies: int = 1
    sync: Sync | None = None

    @property
    def read_hundredths(self) -> int:
        """How many bytes its disks read, in hundredths, for each byte of `sync`: a mirror is resynced from one disk."""
        one = self.sync is None or (self.level == "raid1" and self.sync.function != "check")
        if self.level == "raid10" and not one and self.sync is not None and self.sync.function != "recovery":
            return 100 * self.copies
        return 100 if one or self.level == "raid10" else 100 * max(self.working or 1, 1)


def parse(text: bytes | str) -> list[Array]:
    """Understand the whole text. Raises ParseError where that would need a guess."""
    blocks: list[tuple[int, list[str]]] = []
    for line_no, line in enumerate(lines(text), 1):
        words = fields(line)
        if not words or (not line[:1].isspace() and words[0].rstrip(":") in _HEADS):
            continue
        if not line[:1].isspace():
            if words[1:2] != [":"] or len(words) < 3:
                raise ParseError(line_no, f"{words[0][:40]!r} stands where an array must")
            blocks.append((line_no, [line]))
        elif blocks:
            blocks[-1][1].append(line)
    return [_array(line_no, block) for line_no, block in blocks]


def as_json(arrays: Sequence[Array]) -> dict[str, object]:
    """The arrays by their devices."""
    return {
        array.device: {
            "active": array.active,
            "level": array.level,
            "members": dict(array.members),
            "working": array.working,
            "sync": None if array.sync is None else {k: getattr(array.sync, k) for k in Sync.__slots__},
        }
        for array in arrays
    }


def _array(line_no: int, block: list[str]) -> Array:
    device, _, state, *words = fields(block[0])
    members = [(m["device"], "".join(re.findall("[A-Z]", m["flags"]))) for m in map(_MEMBER.fullmatch, words) if m]
    level = next((word for word in words if not word.startswith("(") and "[" not in word), None)
    below = "\n".join(block[1:])
    working, progress = _WORKING.search(below), _PROGRESS.search(below)
    copies = 1
    for each in _COPIES.findall(below):
        copies *= int(each)
    sync = None
    if progress is not None:
        done, whole = (1024 * number(progress[name], line_no) for name in ("done", "whole"))
        sync = Sync(progress["function"], done, whole)
    return Array(device, state == "active", level, tuple(members), int(working[1]) if working else None, copies, sync)
