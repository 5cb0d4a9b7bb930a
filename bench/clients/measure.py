"""All measurements of one run: cycles of 10 s, one after the other on a clock that is put forward."""

from __future__ import annotations

import random
import resource
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.clients.connected import Connected
from bench.taking import NotDoneError, Taken, timed
from bench.taking import counter as admitting
from nasacct.collect.clients import Clients
from nasacct.collect.live import Live
from nasacct.config import Config
from nasacct.config.tables import Servers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.collect.namespaces import Fleet
    from nasacct.store.frame import Batch, Instant

INTERVAL_NS = 10 * 10**9
#: One server in so many is used between two cycles; of one in so many a client comes anew.
USED, ANEW = 5, 50
#: `ss` is run in so many namespaces a round, in so many rounds.
SAMPLE, _SAMPLED_ROUNDS = 50, 3
#: Cycles until all servers' connections are listed.
_MOST_WARM_UP = 60


class Ahead(Live):
    """The live machine, on whose clock a cycle is over at once."""

    ahead_ns = 0

    def now(self) -> Instant:
        """Both clocks, so much ahead."""
        now = super().now()
        return replace(now, wall_ns=now.wall_ns + self.ahead_ns, boot_ns=now.boot_ns + self.ahead_ns)


def run(fleet: Fleet, folder: Path, counter: str, each: int, repeat: int) -> Taken:
    """Measure everything. Raises NotDoneError."""
    config = Config(root=folder, node="bench", servers=Servers(exportfs=None, counter=counter))
    machine, source = Ahead(config), Clients(admitting(), str)
    connected = Connected(fleet, each)
    listing = machine.servers()
    if len(listing.servers) != len(fleet.names):
        raise NotDoneError(f"of {len(fleet.names)} servers {len(listing.servers)} were found")
    taken = Taken(facts={"servers": len(listing.servers), "each": each, "made_s": round(fleet.took_s, 2)})

    def cycle(what: str = "") -> Batch:
        machine.ahead_ns += INTERVAL_NS
        began = time.process_time_ns()
        source.ends(machine)
        ends = time.process_time_ns()
        batch = source.read(machine, replace(listing, begun_ns=machine.now().boot_ns))
        done = time.process_time_ns()
        if what:
            taken.add(what, done - began)
            taken.add(f"{what}, ends", ends - began)
        return batch

    # of a machine in which the kernel has its table of all connections ready
    taken.facts["cycles until all are listed"] = _warm_up(cycle, connected, len(fleet.names))
    for i in range(repeat):
        used, anew = (range(i % every, len(fleet.names), every) for every in (USED, ANEW))
        cycle("idle")
        connected.use(used)
        # a client that came anew is seen when its server is listed next
        _seen(cycle("used"), len(used) * (each - 1))
        connected.reconnect(anew)
        cycle("reconnected")
        taken.add("links", timed(machine.links))
    for i in range(min(repeat, _SAMPLED_ROUNDS)):
        names = random.Random(i).sample(fleet.names, min(SAMPLE, len(fleet.names)))
        taken.add("ss", _ss(names, each) * len(fleet.names) / len(names))
    taken.facts["MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    source.close()
    machine.close()
    return taken


def _warm_up(cycle: Callable[[], Batch], connected: Connected, servers: int) -> int:
    """Cycles until every connection is known, which a cycle makes no more lists for than it has time."""
    for done in range(1, _MOST_WARM_UP):
        connected.use(range(servers))
        if cycle().complete:
            return done
    raise NotDoneError(f"after {_MOST_WARM_UP} cycles not all connections are listed")


def _seen(batch: Batch, expected: int) -> None:
    rows = sum(len(rows.sids) for rows in batch.rows.values())
    if batch.failed or rows < expected:
        raise NotDoneError(f"of {expected} connections that moved something, {rows} gave rows; {batch.note}")


def _ss(names: list[str], each: int) -> float:
    """CPU ns of whoever asks `ss` in each of these namespaces."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for name in names:
        command = ["ip", "netns", "exec", name, "ss", "-Htni", "sport", "=", ":2049"]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        if told.count("bytes_received:") < each - 1:
            raise NotDoneError(f"ss does not tell of the connections of {name}: {told}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e9
