"""Cycles of 10 s, one after the other on a clock that is put forward, of every source there is."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.clients.connected import Connected
from bench.collect.cycle import Stand
from bench.sources.texts import POWERS, V3, V4, Printed
from bench.taking import NotDoneError, Taken
from nasacct.collect.client_ids import make_key
from nasacct.collect.inside import BY_PROCEDURE, BY_TIME, Inside
from nasacct.collect.nfsd import Nfsd
from nasacct.collect.sampler import Sampler
from nasacct.collect.sources import Finals, build
from nasacct.collect.threads import Threads
from nasacct.config import Config
from nasacct.config.tables import Servers, Sources
from nasacct.store import journal
from nasacct.store.journal_writer import JournalWriter
from nasacct.store.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.collect.namespaces import Fleet
    from nasacct.collect.source import Source
    from nasacct.store.frame import Batch, Frame, Instant, Subject

INTERVAL_NS = 10 * 10**9
#: One server in so many is used between two cycles, by this many clients; it has so many threads.
USED, EACH, THREADS = 5, 3, 8
#: A minute is this many cycles: then every source was read at its own pace.
MINUTE = 6
_WARM_UP, _MOST_WARM_UP = 2, 60
_SYNC_S = 60.0


class Ahead(Stand):
    """The machine with nfsd's texts, on whose clock a cycle is over at once."""

    ahead_ns = 0

    def now(self) -> Instant:
        """Both clocks, so much ahead."""
        now = super().now()
        return replace(now, wall_ns=now.wall_ns + self.ahead_ns, boot_ns=now.boot_ns + self.ahead_ns)


class Everything:
    """All sources under a sampler and a journal, and the machine that they read."""

    def __init__(self, fleet: Fleet, folder: Path, counter: str, template: Path, pid: int, tids: list[int]) -> None:
        enabled = Sources(enabled=("nfsd", "procs", "links", "disks", "node", "clients"))
        config = Config(root=folder, node="bench", servers=Servers(exportfs=None, counter=counter), sources=enabled)
        (folder / "node=bench").mkdir()
        make_key(folder / "node=bench")
        self.machine = Ahead(config, template)
        self.listing = self.machine.servers()
        if len(self.listing.servers) != len(fleet.names):
            raise NotDoneError(f"of {len(fleet.names)} servers {len(self.listing.servers)} were found")
        self.inodes = [int(server.about["netns"] or 0) for server in self.listing.servers]
        self._tids, self._pid, self._config = tids, pid, config
        self.sampler = Sampler(self.machine, Standing(), self._build, deadline_s=60)
        self._finals = Finals(self.sampler)
        origin = journal.Origin("bench", self.machine.boot_id, uuid.uuid4().hex, self.machine.kernel, "bench", 10**10)
        self._writer = JournalWriter(folder, origin, Standing(), number=1)

    def _build(self, admit: Callable[[Subject], int]) -> list[Source]:
        real, made_up = iter(self._tids), itertools.count(4_000_000)
        # of servers that are not used the threads need not be there
        tids = {
            inode: [str(next(made_up if i % USED else real)) for _ in range(THREADS)]
            for i, inode in enumerate(self.inodes)
        }
        self.printed = [
            Printed("procedure", {inode: V3 if i % 2 else V4 for i, inode in enumerate(self.inodes)}),
            Printed("execute", dict.fromkeys(self.inodes, POWERS)),
            Printed("common_pid", tids),
        ]
        built = build(admit, self._config)
        for source in built:
            if isinstance(source, Nfsd):
                # the stand-in for nfsd's files counts what passes the links, as nfsd does
                source.idle = True
        return [
            *built,
            Inside(admit, BY_PROCEDURE, self.printed[0]),
            Inside(admit, BY_TIME, self.printed[1]),
            Threads(admit, self.printed[2], proc=f"/proc/{self._pid}/task"),
        ]

    def cycle(self) -> tuple[int, Frame]:
        """One cycle until it is durable; the CPU ns of it, and its frame."""
        self.machine.ahead_ns += INTERVAL_NS
        listing = replace(self.listing, begun_ns=self.machine.now().boot_ns)
        began = time.process_time_ns()
        between = self._finals.between()
        frame = self.sampler.cycle(listing)
        for one in (between, frame):
            if one is not None:
                self._writer.put(one)
        if not self._writer.flush(_SYNC_S):
            raise NotDoneError(f"the journal was not written: {self._writer.trouble}")
        return time.process_time_ns() - began, frame

    def close(self) -> None:
        """Let everything go."""
        self.sampler.end()
        self._finals.close()
        self._writer.close()
        self.machine.close()


def run(fleet: Fleet, folder: Path, counter: str, template: Path, minutes: int) -> Taken:
    """Measure so many minutes. Raises NotDoneError."""
    servers = len(fleet.names)
    used = range(0, servers, USED)
    taken = Taken(facts={"servers": servers, "made_s": round(fleet.took_s, 2)})
    with _threads(len(used) * THREADS) as (pid, tids):
        all_of_it = Everything(fleet, folder, counter, template, pid, tids)
        connected = Connected(fleet, EACH)

        def go_on(which: range) -> None:
            connected.use(which)
            all_of_it.machine.use(all_of_it.listing, which.step, 0)
            taken.facts["lines"] = sum(one.go_on(all_of_it.inodes[i] for i in which) for one in all_of_it.printed)

        _warm_up(all_of_it, go_on, servers)
        for _ in range(minutes):
            spent: list[int] = []
            by_source: dict[str, int] = {}
            for _ in range(MINUTE):
                go_on(used)
                took, frame = all_of_it.cycle()
                spent.append(took)
                for batch in frame.batches:
                    by_source[batch.source] = by_source.get(batch.source, 0) + batch.cpu_us * 1000
                    _seen(batch, len(used))
            taken.add("cycle", sum(spent) / MINUTE)
            taken.add("dearest", max(spent))
            for source, ns in by_source.items():
                taken.add(source, ns / MINUTE)
            taken.add("rest", (sum(spent) - sum(by_source.values())) / MINUTE)
        all_of_it.close()
    return taken


def _warm_up(all_of_it: Everything, go_on: Callable[[range], None], servers: int) -> None:
    """Until all connections are listed, which a cycle makes no more lists for than it has time, and a minute."""
    for done in range(_MOST_WARM_UP):
        go_on(range(servers))
        _, frame = all_of_it.cycle()
        clients = next(batch for batch in frame.batches if batch.source == "clients")
        if clients.complete and done >= _WARM_UP * MINUTE:
            return
    raise NotDoneError(f"after {_MOST_WARM_UP} cycles not all connections are listed")


def _seen(batch: Batch, used: int) -> None:
    """Every server that was used must have given rows."""
    expected = {"nfsd": used, "links": used, "clients": used * EACH, "inside": used, "latency": used}
    rows = max((len(rows.sids) for rows in batch.rows.values()), default=0)
    if batch.failed or rows < expected.get(batch.source, 0):
        raise NotDoneError(f"{batch.source}: {rows} rows of {used} servers that were used; {batch.note}")


@contextmanager
def _threads(count: int) -> Iterator[tuple[int, list[int]]]:
    """A process with so many threads, and their numbers."""
    argv = [sys.executable, "-m", "bench.sources.threads", str(count)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "up\n":
            raise NotDoneError("the threads could not be made")
        found = sorted(int(path.name) for path in Path(f"/proc/{process.pid}/task").iterdir())
        yield process.pid, found[1:]
        assert process.stdin is not None
        process.stdin.close()
