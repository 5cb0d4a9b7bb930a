"""How soon an answer is there: one server's graph, and all servers of a month, from closed files.

Warm: one warehouse is kept, as a dashboard does. Cold: a new warehouse and a new engine, and none of the store's files
in the page cache; what the process has imported stays.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from bench.store.collecting import names
from nasacct.reports.graph import graph
from nasacct.reports.usage import ask
from nasacct.store import segments
from nasacct.store.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.store.year import Built

#: What is asked of how many days.
SPANS = {"day": 1, "week": 7, "month": 31, "year": 365}
TOP = "top servers of a month"


@dataclass(slots=True)
class Answered:
    """Wall and CPU ns of every answer, by question."""

    wall: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def add(self, what: str, step: Callable[[], int]) -> None:
        """Measure one answer; it must have rows."""
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        rows = step()
        cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
        if not rows:
            raise RuntimeError(f"there is no answer for {what}")
        self.wall.setdefault(what, []).append(wall)
        self.cpu.setdefault(what, []).append(cpu)


def run(built: Built, repeat: int, cold: int) -> Answered:
    """Every question so often, each time of another server."""
    done = Answered()
    chosen = random.Random(1).choices(names(built.size.servers), k=repeat + cold)
    asked = {what: days for what, days in SPANS.items() if days <= built.size.days or what == "day"}
    warm = Warehouse(built.root)
    for what, days in asked.items():
        _graph(warm, built, chosen[0], days)
        for server in chosen[:repeat]:
            done.add(what, partial(_graph, warm, built, server, days))
        for server in chosen[repeat:]:
            _forget(built.root)
            done.add(f"{what}, cold", partial(_graph, None, built, server, days))
    begin = datetime(built.until.year - 1, 12, 1, tzinfo=built.until.tzinfo)
    since = max(begin, built.until - timedelta(days=built.size.days))
    for i in range(repeat + 1):
        if i:
            done.add(TOP, partial(_top, warm, built, since))
        else:
            _top(warm, built, since)
    for _ in range(cold):
        _forget(built.root)
        done.add(f"{TOP}, cold", partial(_top, None, built, since))
    return done


def _graph(warehouse: Warehouse | None, built: Built, server: str, days: int) -> int:
    asked = warehouse or Warehouse(built.root)
    return len(graph(asked, server, built.until - timedelta(days=days), built.until).table)


def _top(warehouse: Warehouse | None, built: Built, since: datetime) -> int:
    table = ask(warehouse or Warehouse(built.root), "server", since, built.until)
    return len(table.sort_by([("received_bytes", "descending")]).slice(0, 20))


def _forget(root: Path) -> None:
    """Nothing of the store is in the page cache, and no footer in this process."""
    segments._footer.cache_clear()  # noqa: SLF001 - a new process knows none
    for path in root.rglob("*.parquet"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
