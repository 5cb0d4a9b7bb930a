"""How soon an answer is there: one server's graph, and all servers of a month, from closed files.

Warm: one warehouse is kept, as a dashboard does, and the files are in the page cache. Cold: a new warehouse and a new
engine, and none of the store's files in the page cache; what the process has imported stays.
Beside a graph: its rows read by DuckDB alone, which is told the files and columns, one SELECT a stream, nothing summed.
Beside the servers of a month: their sums without bounds and unknowns.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb

from bench.store.collecting import names
from nasacct.reports import levels
from nasacct.reports.breakdown import MEASURES
from nasacct.reports.graph import graph, length_of
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
    for path in built.root.rglob("*.parquet"):
        path.read_bytes()
    for what, days in asked.items():
        _graph(warm, built, chosen[0], days)
        bare = _bare(warm, built, days)
        bare(chosen[0])
        for server in chosen[:repeat]:
            done.add(what, partial(_graph, warm, built, server, days))
            done.add(f"{what}, bare", partial(bare, server))
    begin = datetime(built.until.year - 1, 12, 1, tzinfo=built.until.tzinfo)
    since = max(begin, built.until - timedelta(days=built.size.days))
    sums = _bare_sums(warm, built, since)
    _top(warm, built, since)
    sums()
    for _ in range(repeat):
        done.add(TOP, partial(_top, warm, built, since))
        done.add(f"{TOP}, bare", sums)
    for what, days in asked.items():
        for server in chosen[repeat:]:
            _forget(built.root)
            done.add(f"{what}, cold", partial(_graph, None, built, server, days))
    for _ in range(cold):
        _forget(built.root)
        done.add(f"{TOP}, cold", partial(_top, None, built, since))
    return done


def _graph(warehouse: Warehouse | None, built: Built, server: str, days: int) -> int:
    asked = warehouse or Warehouse(built.root)
    return len(graph(asked, server, built.until - timedelta(days=days), built.until).table)


def _bare(warehouse: Warehouse, built: Built, days: int) -> Callable[[str], int]:
    """What gives the rows of a server's graph, from files that were looked up before."""
    connection = _alone()
    since, until = built.until - timedelta(days=days), built.until
    length_us = length_of(until - since) // timedelta(microseconds=1)
    span = [int(at.timestamp()) * 1_000_000 for at in (since, until)]
    seen, _ = warehouse._see(levels.of(warehouse, list(MEASURES), length_us, *span), None, None, {})  # noqa: SLF001
    texts = []
    for view, measures in MEASURES.items():
        for what in seen[view]:
            time = "bucket" if what.view.step else "t0"
            files = ", ".join(f"'{s.path}'" for s in (*what.kept, *what.segments))
            columns = ", ".join([time, *(f"{m}{kind}" for m in measures for kind in ("", "_more"))])
            texts.append(
                f"SELECT {columns} FROM read_parquet([{files}], hive_partitioning = false)"
                f" WHERE server = $server AND {time} >= '{since.isoformat()}' AND {time} < '{until.isoformat()}'"
            )

    def rows(server: str) -> int:
        found: list[Any] = [connection.execute(text, {"server": server}).to_arrow_table() for text in texts]
        return sum(map(len, found))

    return rows


def _bare_sums(warehouse: Warehouse, built: Built, since: datetime) -> Callable[[], int]:
    """What sums the bytes and calls of each server, from files that were looked up before, one SELECT a stream."""
    lo, hi = (int(at.timestamp()) * 1_000_000 for at in (since, built.until))
    seen, _ = warehouse._see(levels.between(warehouse, list(MEASURES), lo, hi), None, None, {})  # noqa: SLF001
    texts = []
    for view, measures in MEASURES.items():
        files = ", ".join(f"'{s.path}'" for what in seen[view] for s in what.kept)
        texts.append(
            f"SELECT server, {', '.join(f'sum({m})' for m in measures)}"
            f" FROM read_parquet([{files}], hive_partitioning = false)"
            f" WHERE bucket >= '{since.isoformat()}' AND bucket < '{built.until.isoformat()}' GROUP BY server"
        )
    connection = _alone()

    def rows() -> int:
        found: list[Any] = [connection.execute(text).to_arrow_table() for text in texts]
        return sum(map(len, found))

    return rows


def _alone() -> duckdb.DuckDBPyConnection:
    """DuckDB as whoever has nothing else would ask it."""
    connection = duckdb.connect(":memory:")
    for setting in ("threads = 2", "TimeZone = 'UTC'", "parquet_metadata_cache = true"):
        connection.execute(f"SET {setting}")
    return connection


def _top(warehouse: Warehouse | None, built: Built, since: datetime) -> int:
    table = ask(warehouse or Warehouse(built.root), "server", since, built.until)
    return len(table.sort_by([("received_bytes", "descending")]).slice(0, 20))


def _forget(root: Path) -> None:
    """Nothing of the store is in the page cache, and no footer in this process."""
    segments._read.cache_clear()  # noqa: SLF001 - a new process knows none
    for path in root.rglob("*.parquet"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
