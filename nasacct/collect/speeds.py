"""The source `speeds`: how much the host's own links can carry, so that it can be told when one is full.

    /sys/class/net/eth0/speed       10000       Mbit/s each way, as the driver says (net/core/net-sysfs.c)
    /sys/class/net/eth0/operstate   up          RFC 2863

A bond says what its members carry together. What a driver does not know, as of a virtual machine's card or without a
cable, is -1 or EINVAL. A veth says 10000 whatever it carries, so servers' own links are not asked.

The kernel takes the lock of all interfaces to ask a driver, and others hold that for as long as they like: no cycle
waits for this source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect.changes import Changes
from nasacct.store.frame import ABSENT, Batch, Subject
from nasacct.store.schema import SPEEDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nasacct.collect.machine import Listing, Machine

#: A speed changes when a cable is moved.
PACE_S = 60.0
#: SPEED_UNKNOWN of include/uapi/linux/ethtool.h, -1, as drivers of old print it: unsigned, in 16 or 32 bits.
_UNKNOWN = {0, 0xFFFF, 0xFFFFFFFF}
_DIGITS = 10


class Speeds:
    """Asks the links that `uplinks` names, with their epochs, and hands out the rows that changed."""

    name = SPEEDS.source
    streams = (SPEEDS.name,)
    unhurried = True

    def __init__(self, admit: Callable[[Subject], int], uplinks: Callable[[], Mapping[str, str]]) -> None:
        # the first dump of links may not have ended yet, and what was so is known as of the second look
        self.pace_s = 0.0
        self._admit, self._uplinks = admit, uplinks
        self._subjects: dict[tuple[str, str], Subject] = {}
        self._changes = Changes(SPEEDS)

    def read(self, machine: Machine, listing: Listing) -> Batch:  # noqa: ARG002  whatever servers there are
        """Ask every link once."""
        rows = {}
        for name, epoch in self._uplinks().items():
            mbit_s, up = asked(machine, name)
            rows[self._subject(name, epoch)] = [ABSENT if value is None else value for value in (mbit_s, up)]
        batch = Batch(self.name, machine.now(), list(rows))
        batch.rows = self._changes.rows(list(rows), np.array(list(rows.values()), np.int64))
        self._changes.forget_others(self._subjects, set(rows))
        self.pace_s = PACE_S if rows else 0.0
        return batch

    def _subject(self, name: str, epoch: str) -> Subject:
        subject = self._subjects.get((name, epoch))
        if subject is None:
            subject = self._subjects[name, epoch] = Subject(self.name, {"link": name}, epoch)
            subject.sid = self._admit(subject)
        return subject


def asked(machine: Machine, name: str) -> tuple[int | None, int | None]:
    """What the link can carry (Mbit/s), and whether it is up (1, 0); None: unknown."""
    speed, state = (_file(machine, name, what) for what in ("speed", "operstate"))
    return None if speed is None else parse(speed), None if state is None else int(state.strip() == b"up")


def parse(text: bytes) -> int | None:
    """The content of `speed` in Mbit/s; None where it says that nobody knows, or says something else."""
    word = text.strip()
    speed = int(word) if word.isdigit() and len(word) <= _DIGITS else 0
    return speed if speed not in _UNKNOWN else None


def _file(machine: Machine, name: str, what: str) -> bytes | None:
    try:
        return machine.file(f"sys/class/net/{name}/{what}")
    except OSError:
        return None
