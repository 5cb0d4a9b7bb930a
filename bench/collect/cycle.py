"""The collector itself, as it is shipped, in a process of its own: one cycle whenever it is asked for.

    python -m bench.collect.cycle FOLDER COUNTER TEMPLATE

It runs what `nasacct collect` runs: discovery, watch, all sources on their lanes, the journal's writer with its sync.
One thing is put in its place: after a server's counter file was really read, the nfsd source is given a real nfsd text
of that server (`texts`), because the bench's machine may have no kernel NFS server to count anything.
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.collect.texts import NfsdTexts
from bench.taking import counter, timed

# what the command imports is part of its memory
from nasacct.cli import app, collect  # noqa: F401
from nasacct.collect.collector import Collector
from nasacct.collect.live import Live
from nasacct.collect.nfsd import Nfsd
from nasacct.config import Config
from nasacct.config.tables import Servers
from nasacct.store import journal
from nasacct.store.journal_writer import JournalWriter
from nasacct.store.standing import Standing

if TYPE_CHECKING:
    from nasacct.collect.machine import Listing, Server
    from nasacct.store.frame import Frame

#: Cycles before anything is measured: births, and finding out what the kernel counts.
_WARM_UP = 4
_SYNC_S = 60.0
#: What the collector must never have loaded.
_HEAVY = ("pandas", "duckdb", "scipy", "streamlit")


class Stand(Live):
    """The live machine, with an nfsd text in the place of each counter text it has read."""

    def __init__(self, config: Config, template: Path) -> None:
        super().__init__(config)
        self._template = template
        self._all: NfsdTexts | None = None
        #: By epoch.
        self.texts: dict[str, bytes] = {}

    def use(self, listing: Listing, every: int, first: int) -> None:
        """Have each `every`th server used, from the `first` on."""
        if self._all is None:
            self._all = NfsdTexts(self._template, len(listing.servers))
        self._all.change(range(first, len(listing.servers), every))
        self.texts = {s.epoch: text for s, text in zip(listing.servers, self._all.texts, strict=True)}

    def nfsd(self, server: Server) -> bytes:
        """Read the server's counter file, and give its nfsd text."""
        super().nfsd(server)
        return self.texts[server.epoch]

    def read_only(self, listing: Listing) -> None:
        """Read the servers' counter files and do nothing with them."""
        read = super().nfsd
        for server in listing.servers:
            read(server)


class _TextsOnly(Stand):
    """A machine whose texts need not be read, for the part after the reading."""

    def nfsd(self, server: Server) -> bytes:
        """The server's nfsd text."""
        return self.texts[server.epoch]


class Parser:
    """The nfsd source alone, over texts of its own: what changed for the cycle must not have changed for it."""

    def __init__(self, config: Config, template: Path, listing: Listing) -> None:
        self._source, self._machine, self._listing = Nfsd(counter()), _TextsOnly(config, template), listing
        for _ in range(_WARM_UP):
            self.read(1, 0)

    def read(self, every: int, first: int) -> dict[str, int]:
        """Read all texts, each `every`th of them changed, from the `first` on."""
        self._machine.use(self._listing, every, first)
        cpu = time.process_time_ns()
        batch = self._source.read(self._machine, self._listing)
        cpu = time.process_time_ns() - cpu
        return {"cpu_ns": cpu, "rows": len(batch.rows["nfsd"].sids)}


class Cycle:
    """The collector, ready to be asked."""

    def __init__(self, folder: Path, counter: str, template: Path) -> None:
        config = Config(root=folder, node="bench", servers=Servers(exportfs=None, counter=counter))
        self.folder, self.config, self.template = folder, config, template
        self.machine = Stand(config, template)
        standing = Standing()
        origin = journal.Origin("bench", self.machine.boot_id, uuid.uuid4().hex, self.machine.kernel, "bench", 10**10)
        self.writer = JournalWriter(folder, origin, standing, number=1)
        self.collector = Collector(config, self.machine, self._take, standing)
        self.frame: Frame | None = None
        self.listing = self.machine.servers()
        self.parser: Parser | None = None
        for _ in range(_WARM_UP):
            self.cycle(1, 0)

    def _take(self, frame: Frame) -> None:
        self.frame = frame
        self.writer.put(frame)

    def cycle(self, every: int, first: int) -> dict[str, Any]:
        """One cycle, until it is durable; each `every`th server was used since the last, from the `first` on."""
        self.machine.use(self.listing, every, first)
        before = self.writer.bytes_written
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        self.collector.tick()
        durable = self.writer.flush(_SYNC_S)
        cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
        if not durable or self.frame is None:
            raise RuntimeError(f"the journal was not written: {self.writer.trouble}")
        rows = {stream: len(r.sids) for b in self.frame.batches for stream, r in b.rows.items()}
        sources = {b.source: b.cpu_us * 1000 for b in self.frame.batches}
        failed = [why for b in self.frame.batches for why in b.failed.values()]
        size = self.writer.bytes_written - before
        return {"cpu_ns": cpu, "wall_ns": wall, "rows": rows, "sources": sources, "bytes": size, "failed": failed[:1]}

    def parts(self, every: int, first: int) -> dict[str, int]:
        """Where a cycle's CPU time goes: its sources by their own account, the rest done once more, each alone."""
        whole = self.cycle(every, first)
        assert self.frame is not None
        frame, scratch = self.frame, self.folder / "scratch"
        read = timed(lambda: self.machine.read_only(self.listing))
        data = journal.encode_frame(frame)
        encode = timed(lambda: journal.encode_frame(frame))
        keep = timed(lambda: Standing().apply(frame))
        fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            write = timed(lambda: _write(fd, data))
        finally:
            os.close(fd)
        sources = whole["sources"]
        found = {"read": read, "parse": sources.pop("nfsd") - read, **sources}
        found |= {"encode": encode, "write and sync": write, "carry": keep}
        return {"whole": whole["cpu_ns"], **found, "rest": whole["cpu_ns"] - sum(found.values())}

    def links(self) -> dict[str, int]:
        """The link part alone: the dump, decoded, and the rows of the links that changed."""
        source = next(s for s in self.collector.sampler.sources if s.name == "links")
        cpu = time.process_time_ns()
        batch = source.read(self.machine, self.listing)
        cpu = time.process_time_ns() - cpu
        return {"cpu_ns": cpu, "rows": sum(len(r.sids) for r in batch.rows.values())}

    def parse(self, every: int, first: int) -> dict[str, int]:
        """The nfsd source over texts that need not be read."""
        if self.parser is None:
            self.parser = Parser(self.config, self.template, self.listing)
        return self.parser.read(every, first)

    def list(self) -> dict[str, int]:
        """Looking for servers anew, which is done once a minute."""
        return {"cpu_ns": timed(self.machine.servers)}

    def rotate(self) -> dict[str, Any]:
        """A cycle that begins a new file of the journal, which is done every 15 minutes."""
        self.writer.rotate()
        return self.cycle(1, 0)

    def memory(self) -> dict[str, Any]:
        """KiB of memory now and at most, and modules that should not be there."""
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        kib = {name: int(status[name].split()[0]) for name in ("VmRSS", "VmHWM")}
        return {**kib, "heavy": [name for name in _HEAVY if name in sys.modules]}

    def end(self) -> None:
        """Close everything."""
        self.collector.__exit__()
        self.writer.close()


def _write(fd: int, data: bytes) -> None:
    os.write(fd, data)
    os.fdatasync(fd)


def main() -> None:
    """Answer until the standard input ends."""
    folder, counter, template = sys.argv[1:]
    cycle = Cycle(Path(folder), counter, Path(template))
    print(json.dumps({"servers": len(cycle.listing.servers)}), flush=True)
    for line in sys.stdin:
        what, *numbers = line.split()
        print(json.dumps(getattr(cycle, what)(*map(int, numbers))), flush=True)
    cycle.end()


if __name__ == "__main__":
    main()
