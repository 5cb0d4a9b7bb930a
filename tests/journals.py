"""Journals made in a test: what a collector would have written of counters that the test names."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from nasacct.store import journal
from nasacct.store.frame import ABSENT, Batch, Frame, Instant, Rows, Subject
from nasacct.store.journal_readings import of_journal
from nasacct.store.ledger import account
from nasacct.store.schema import STREAMS
from nasacct.store.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nasacct.store.ledger import Terms
    from nasacct.store.stream import Stream


def unwritten(frames: Iterable[Frame], begun: Instant, terms: Terms, boot_id: str = "boot") -> journal.Journal:
    """The journal file that these frames of a collector would be, which began at that moment."""
    origin = journal.Origin("n", boot_id, "run", "", "0", terms.interval_ns, terms.link_bytes_s)
    return journal.Journal("x", 1, origin, 1, begun, Standing(), frames=list(frames))


def usage_of(
    stream: Stream, frames: Iterable[Frame], begun: Instant, terms: Terms, boot_id: str = "boot"
) -> list[dict[str, object]]:
    """The rows that the keeper would make of them, of one stream."""
    return account(of_journal(unwritten(frames, begun, terms, boot_id))[stream.name], "n", terms).to_pylist()


@dataclass(eq=False)
class Thing:
    """One epoch of a server's counters, a link, a disk; `subject` once it was listed."""

    source: str
    keys: dict[str, str | None]
    epoch: str
    subject: Subject | None = None
    about: dict[str, str | int | None] = field(default_factory=dict)


@dataclass
class Recorder:
    """Writes a node's journal below `root`, one `cycle` of readings after the other, as the collector would."""

    root: Path
    node: str = "nas1"
    start: str = "2026-11-23T10:00:00+00:00"
    interval_s: float = 10
    boot_id: str = "boot"
    link_bytes_s: int = 1_000_000
    run: str = "0" * 32
    standing: Standing = field(default_factory=Standing)

    def __post_init__(self) -> None:
        self.folder = self.root / f"node={self.node}" / "journal"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.root / "store.json").write_text('{"nasacct_store": 1}\n')
        wall = int(datetime.fromisoformat(self.start).timestamp()) * 1_000_000_000
        self.now = Instant(wall - int(self.interval_s * 1e9), 10**12)
        self.path: Path | None = None
        self.listings: dict[str, int] = {}
        self.alive: dict[str, list[Thing]] = {}
        self.things: list[Thing] = []
        self.sizes: dict[Path, list[int]] = {}
        self._number, self._sid, self._seq = 0, 0, 0

    def thing(self, stream: str, epoch: str | None = None, **keys: str | None) -> Thing:
        """Something to be read that has not been listed yet."""
        source = STREAMS[stream].source
        name = epoch or "-".join(["boot", source, *(str(k) for k in keys.values())])
        self.things.append(Thing(source, keys, name))
        return self.things[-1]

    def cycle(
        self,
        values: Mapping[Thing, Mapping[str, int | None] | None],
        *,
        seconds: float | None = None,
        sources: Iterable[str] = (),
        complete: bool = True,
        cpu_us: Mapping[str, int] | None = None,
    ) -> None:
        """All that is alive is listed and read: measures by name (missing: 0, None: absent), or None: it failed.

        What was listed before and is not now has ended. `cpu_us` is what reading each source took.
        """
        self.wait(self.interval_s if seconds is None else seconds)
        births: list[Subject] = []
        batches = []
        for source in dict.fromkeys([t.source for t in values] + list(self.alive) + list(sources)):
            now = {t: v for t, v in values.items() if t.source == source}
            births += [self._born(t) for t in now if t.subject is None]
            batch = Batch(source, self.now, [t.subject for t in now], complete=complete)
            batch.cpu_us = (cpu_us or {}).get(source, 0)
            batch.failed = {t.subject: "failed" for t, v in now.items() if v is None}
            batch.rows = self._rows(source, {t: v for t, v in now.items() if v is not None})
            before = self.alive.get(source, [])
            if complete:
                batch.ended = [t.subject for t in before if t not in now]
                self.alive[source] = list(now)
                self.listings[source] = self.now.wall_ns
            else:
                batch.failed |= {t.subject: "not listed" for t in before if t not in now}
                self.alive[source] = list(dict.fromkeys([*before, *now]))
            batches.append(batch)
        self.write(batches, births)

    def final(self, thing: Thing, values: Mapping[str, int | None], *, seconds: float = 0) -> None:
        """The last reading of something that ends between two cycles."""
        self.wait(seconds)
        self.alive[thing.source].remove(thing)
        rows = self._rows(thing.source, {thing: values}, final=True)
        self.write([Batch(thing.source, self.now, None, rows=rows, ended=[thing.subject])], [])

    def wait(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        ns = int(seconds * 1e9)
        self.now = Instant(self.now.wall_ns + ns, self.now.boot_ns + ns)

    def rotate(self) -> None:
        """Begin a new file with the next frame."""
        self.path = None

    def restart(self) -> None:
        """The collector ends and starts anew, with what the last readable file gives it."""
        self.standing = Standing()
        for path in reversed(journal.files(self.folder)):
            with contextlib.suppress(journal.JournalError):
                self.standing = journal.read(path).standing()
                break
        live = {s.identity for s in self.standing.live.values()}
        for thing in self.things:
            if thing.subject is not None and thing.subject.identity not in live:
                thing.subject = None
        self.alive = {}
        for thing in self.things:
            if thing.subject is not None:
                self.alive.setdefault(thing.source, []).append(thing)
        self.listings = {name: at.wall_ns for name, at in self.standing.listings.items()}
        self.run = f"{int(self.run, 16) + (1 << 120):032x}"
        self._seq = 0
        self.path = None

    def tear(self, frames: int, path: Path | None = None, *, garbage: bytes = b"\x07torn") -> int:
        """Lose the last frames of a file (the newest), all but its head at most; gives back how many are left."""
        where = path or self.path
        assert where is not None
        sizes = self.sizes[where]
        left = max(len(sizes) - 1 - frames, 0)
        where.write_bytes(where.read_bytes()[: sizes[left]] + garbage)
        return left

    def write(self, batches: list[Batch], births: list[Subject]) -> Frame:
        """Append a frame to the journal."""
        self._seq += 1
        frame = Frame(self._seq, self.now, batches, births)
        if self.path is None:
            self._number += 1
            origin = journal.Origin(
                self.node, self.boot_id, self.run, "6.12", "0", int(self.interval_s * 1e9), self.link_bytes_s
            )
            self.path = self.folder / journal.file_name(self._number, self.now, self.run)
            self.path.write_bytes(journal.encode_head(origin, self._seq, self.now, self.standing))
            self.sizes[self.path] = [self.path.stat().st_size]
        with self.path.open("ab") as file:
            file.write(journal.encode_frame(frame))
        self.sizes[self.path].append(self.path.stat().st_size)
        self.standing.apply(frame)
        return frame

    def _born(self, thing: Thing) -> Subject:
        self._sid += 1
        after = self.listings.get(thing.source)
        thing.subject = Subject(thing.source, thing.keys, thing.epoch, self._sid, after, about=thing.about)
        return thing.subject

    def _rows(
        self, source: str, read: Mapping[Thing, Mapping[str, int | None]], *, final: bool = False
    ) -> dict[str, Rows]:
        found: dict[str, Rows] = {}
        for name, stream in STREAMS.items():
            names = {m.name for m in stream.measures}
            if stream.source != source or not any(names & set(v) for v in read.values()):
                continue
            last = self.standing.last(name)
            there = last.sids()
            before = dict(zip(there.tolist(), last.of(there)[2].tolist(), strict=True))
            sids, values = [], []
            for thing, said in read.items():
                row = [said.get(m.name, 0) for m in stream.measures]
                row = [ABSENT if v is None else v for v in row]
                sid = thing.subject.sid
                if final or before.get(sid) != row:
                    sids.append(sid)
                    values.append(row)
            found[name] = Rows(
                np.array(sids, np.int32), np.array(values, np.int64).reshape(len(sids), stream.width), final
            )
        return found
