"""What one client does on its mount, or a process of the NAS itself; at its end it prints how often it did so.

    python3 load.py KIND SECONDS FOLDER [SEED]

Chance says what a day is made of, and where in a file something is read or written. Everything is past the client's own
cache: the dirty pages of clients on the same kernel as their server block each other.
"""

from __future__ import annotations

import mmap
import os
import random
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

KIB, MIB = 1024, 1024 * 1024
_KIND, _SECONDS, _FOLDER = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
_SEED = sys.argv[4] if len(sys.argv) > 4 else "0"
_END = time.monotonic() + _SECONDS
#: How long a spell of a member's day lasts on average, how long nothing is done between two, and what is done a second.
_SPELL_S, _QUIET_S, _RATES = 8.0, 20.0, (1.0, 5.0)


def over() -> bool:
    """Whether the time is over."""
    return time.monotonic() > _END


class File:
    """A file that is read and written in blocks, each at a place that chance chooses, or one after the other."""

    def __init__(self, name: str, block: int, chance: random.Random) -> None:
        self._fd = os.open(_FOLDER / name, os.O_RDWR | os.O_DIRECT)
        self._buffer = mmap.mmap(-1, block)
        self._buffer[:] = chance.randbytes(block)
        self._block, self._blocks = block, os.fstat(self._fd).st_size // block
        self._chance, self._next = chance, 0

    def read(self) -> None:
        """A block from anywhere."""
        os.preadv(self._fd, [self._buffer], self._chance.randrange(self._blocks) * self._block)

    def write(self) -> None:
        """A block to anywhere."""
        os.pwritev(self._fd, [self._buffer], self._chance.randrange(self._blocks) * self._block)

    def sync(self) -> None:
        """What was written is on the disk."""
        os.fsync(self._fd)

    def write_synced(self) -> None:
        """A block to anywhere, and to the disk."""
        self.write()
        self.sync()

    def append(self) -> None:
        """The block after the last one; after the end, the first again."""
        os.pwritev(self._fd, [self._buffer], self._next % self._blocks * self._block)
        self._next += 1


class Files:
    """Many files that are made, looked at, renamed and removed."""

    def __init__(self, name: str) -> None:
        self._folder, self._made = _FOLDER / name, 0
        self._folder.mkdir(exist_ok=True)

    def one(self) -> None:
        """A file's life."""
        path = self._folder / str(self._made)
        path.touch()
        path.stat()
        if self._made % 4 == 3:
            path = path.rename(f"{path}r")
        path.unlink()
        self._made += 1

    def look(self) -> None:
        """All that is there."""
        for entry in os.scandir(_FOLDER):
            entry.stat()


def day(chance: random.Random) -> int:
    """Spells of reading, writing, looking and making files, with nothing between them."""
    small, files, done = File("small", 16 * KIB, chance), Files("day"), 0

    def written() -> None:
        small.write()
        if not done % 6:
            small.sync()

    time.sleep(chance.uniform(0, _QUIET_S / 2))
    while not over():
        act = chance.choice((small.read, small.read, written, files.look, files.one))
        rate, until = chance.uniform(*_RATES), time.monotonic() + min(chance.expovariate(1 / _SPELL_S), 4 * _SPELL_S)
        while time.monotonic() < until and not over():
            act()
            done += 1
            time.sleep(chance.expovariate(rate))
        time.sleep(max(0.0, min(chance.expovariate(1 / _QUIET_S), 3 * _QUIET_S, _END - time.monotonic())))
    return done


def at_once(threads: int, make: Callable[[random.Random, int], Callable[[], None]], pause_s: float = 0.0) -> int:
    """Let so many threads do something again and again, each waiting so long after each time; how often all did."""
    done = [0] * threads

    def work(number: int) -> None:
        chance = random.Random(f"{_SEED}/{number}")
        act = make(chance, number)
        while not over():
            act()
            done[number] += 1
            if pause_s:
                time.sleep(chance.expovariate(1 / pause_s))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done)


LOADS: dict[str, Callable[[], int]] = {
    "day": lambda: day(random.Random(_SEED)),
    "random reads": partial(at_once, 4, lambda chance, _: File("big", 32 * KIB, chance).read),
    "reads from memory": partial(at_once, 3, lambda chance, _: File("hot", 16 * KIB, chance).read, 0.03),
    "synced writes": partial(at_once, 4, lambda chance, _: File("wal", 16 * KIB, chance).write_synced),
    "metadata": partial(at_once, 6, lambda _, number: Files(f"mail{number}").one),
    "bulk write": partial(at_once, 2, lambda chance, number: File(f"dump{number}", MIB, chance).append),
}

if __name__ == "__main__":
    print(LOADS[_KIND]())
