"""The durable append of one cycle: the product's writer, beside the bare write of as many bytes, and SQLite.

Frames are made before they are appended, so that only the appending is measured: encoding, write, fdatasync, and what
the writer keeps for the head of the next file. CPU time is that of the whole process.
"""

from __future__ import annotations

import os
import sqlite3
import time
from functools import partial
from typing import TYPE_CHECKING

from bench.store.collecting import Collecting, boot_of
from nasacct.store import journal
from nasacct.store.journal_writer import JournalWriter
from nasacct.store.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nasacct.store.frame import Frame

_START_S = 1_760_000_000
#: Cycles before anything is measured, and at most so many in one file, so that none is begun meanwhile.
_WARM_UP, _FILE_S = 5, 10**9
_SYNC_S = 60.0


def run(folder: Path, servers: int, repeat: int) -> dict[str, list[float]]:
    """CPU ns of every append, by way; `bytes` are those of the frames."""
    taken: dict[str, list[float]] = {"bytes": []}
    collecting = Collecting(None, servers, _START_S)
    collecting.begin(10, _FILE_S)
    origin = journal.Origin("bench", boot_of(1), "0" * 32, "6.12", "bench", 10**10)
    writer = JournalWriter(folder, origin, Standing(), number=1, file_s=_FILE_S)
    bare = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    database = _database(folder / "sqlite")
    try:
        for i in range(_WARM_UP + repeat):
            for what, every in (("fleet", False), ("all", True)):
                frame = collecting.cycle(all_rows=every)
                data = journal.encode_frame(frame)
                ours = _cpu(partial(_append, writer, frame))
                floor = _cpu(partial(_bare, bare, data))
                theirs = _cpu(partial(_insert, database, frame))
                if i >= _WARM_UP:
                    taken.setdefault(f"ours {what}", []).append(ours)
                    taken.setdefault(f"bare {what}", []).append(floor)
                    taken.setdefault(f"sqlite {what}", []).append(theirs)
                    taken["bytes"] += [len(data)] if what == "fleet" else []
    finally:
        os.close(bare)
        database.close()
        writer.close()
    return taken


def _cpu(step: Callable[[], object]) -> float:
    before = time.process_time_ns()
    step()
    return time.process_time_ns() - before


def _append(writer: JournalWriter, frame: Frame) -> None:
    writer.put(frame)
    if not writer.flush(_SYNC_S):
        raise RuntimeError(f"the journal was not written: {writer.trouble}")


def _bare(descriptor: int, data: bytes) -> None:
    os.write(descriptor, data)
    os.fdatasync(descriptor)


def _database(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE readings (stream, sid, t, counters)")
    return database


def _insert(database: sqlite3.Connection, frame: Frame) -> None:
    """The same rows, the counters of each as one blob, which is the least that SQLite can be asked for."""
    rows = [
        (stream, sid, batch.at.wall_ns, values.tobytes())
        for batch in frame.batches
        for stream, part in batch.rows.items()
        for sid, values in zip(part.sids.tolist(), part.values, strict=True)
    ]
    database.execute("BEGIN")
    database.executemany("INSERT INTO readings VALUES (?, ?, ?, ?)", rows)
    database.execute("COMMIT")
