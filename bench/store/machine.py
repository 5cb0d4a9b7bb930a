"""The rest of the node around a synthetic fleet: its disks, its processors, what it counts for all servers together.

One row a cycle or a few: they are there so that the sizes of a store are those of everything in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nasacct.store.schema import DISKS, NODE, PROCS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

#: Disks of the pool, and how many requests a second each of them gets.
POOL, _REQUESTS_S = 24, 60
_CPUS = 32


class Machine:
    """`counters` has, by stream, int64[subjects, width]: what would be read now; `step` lets time pass."""

    def __init__(self, seed: int = 2) -> None:
        self._random = np.random.default_rng(seed)
        self.counters = {
            "procs": np.zeros((1, PROCS.width), np.int64),
            "disks": np.zeros((POOL, DISKS.width), np.int64),
            "node": np.zeros((1, NODE.width), np.int64),
        }

    def step(self, seconds: float, calls: int) -> None:
        """Let `seconds` pass, in which all servers together answered so many `calls`."""
        procs = self.counters["procs"][0]
        procs[PROCS.index["proc4_compound"]] += calls
        procs[PROCS.index["threads"]] = 64
        self._disks(seconds)
        self._node(seconds)

    def _disks(self, seconds: float) -> None:
        poisson, disks = self._random.poisson, self.counters["disks"]
        reads, writes = poisson(_REQUESTS_S * seconds, POOL), poisson(_REQUESTS_S * seconds, POOL)
        busy = np.minimum((reads + writes) * self._random.uniform(2, 6, POOL), 900 * seconds).astype(np.int64)
        growth = {
            "reads": reads,
            "writes": writes,
            "sectors_read": reads * self._random.integers(32, 512, POOL),
            "sectors_written": writes * self._random.integers(32, 512, POOL),
            "ms_reading": reads * self._random.integers(1, 9, POOL),
            "ms_writing": writes * self._random.integers(1, 9, POOL),
            "ms_io": busy,
            "ms_weighted": busy * self._random.integers(1, 9, POOL),
            "flushes": poisson(seconds / 5, POOL),
        }
        for name, by in growth.items():
            disks[:, DISKS.index[name]] += by
        for name in ("ms_reading", "ms_writing", "ms_io", "ms_weighted"):
            disks[:, DISKS.index[name]] &= 0xFFFFFFFF
        disks[:, DISKS.index["in_flight"]] = poisson(1.0, POOL)

    def _node(self, seconds: float) -> None:
        node = self.counters["node"][0]
        for measure in NODE.measures:
            at = NODE.index[measure.name]
            if measure.kind == "counter":
                node[at] += self._random.poisson(_CPUS * seconds * 10)
            else:
                node[at] = self._random.poisson(10_000)
