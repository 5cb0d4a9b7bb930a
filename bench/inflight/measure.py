"""All measurements of one run: the source with its own thread, in real time, on a fleet of namespaces."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.inflight.standin import USED, Nas, answered
from bench.taking import NotDoneError
from bench.taking import counter as admitting
from nasacct.collect.inflight import InFlight
from nasacct.collect.rpc_status import Call, take
from nasacct.collect.sampling import who
from nasacct.config import Config
from nasacct.config.tables import Inflight, Servers

if TYPE_CHECKING:
    from pathlib import Path

    from bench.collect.namespaces import Fleet

#: Until every server has been sampled once, and how long is measured after that.
WARM_UP_S, MEASURED_S, CYCLE_S = 12, 20, 2
_TIMES = 200


@dataclass(frozen=True, slots=True)
class Cost:
    """What sampling took: percent of one CPU of its thread, CPU-us of a sample, and CPU-ms of one cycle.

    `interval_s` is how long the windows of used servers have become to stay within the budget.
    """

    percent: float
    sample_us: float
    cycle_ms: float
    interval_s: float


def sampled(fleet: Fleet, folder: Path, counter: str, rows: int, percent: float) -> Cost:
    """Sample the fleet with so many calls in flight of each used server. Raises NotDoneError."""
    config = Config(root=folder, node="bench", servers=Servers(exportfs=None, counter=counter))
    machine = Nas(config, rows)
    source = InFlight(admitting(), str, Inflight(), percent / 100)
    listing = machine.servers()
    if len(listing.servers) != len(fleet.names):
        raise NotDoneError(f"of {len(fleet.names)} servers {len(listing.servers)} were found")

    def cycles(seconds: float) -> list[int]:
        """The CPU ns of each."""
        found = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.thread_time_ns()
            source.read(machine, listing)
            found.append(time.thread_time_ns() - began)
            time.sleep(CYCLE_S)
        return found

    try:
        cycles(WARM_UP_S)
        sampling = source._sampling  # noqa: SLF001  what it takes is not for anybody else
        if sampling is None or any(one.trouble for one in sampling.known.values()):
            raise NotDoneError(f"not all can be sampled: {source.read(machine, listing).note}")
        before, at = sampling.cpu_ns, time.monotonic_ns()
        for asked in machine.asked.values():
            asked[0] = 0
        measured = cycles(MEASURED_S)
        cpu_ns, elapsed = sampling.cpu_ns - before, time.monotonic_ns() - at
        used, idle = machine.asked[True][0], machine.asked[False][0]
    finally:
        source.close()
        machine.close()
    return Cost(
        percent=100 * cpu_ns / elapsed,
        sample_us=cpu_ns / 1000 / max(used + idle, 1),
        cycle_ms=sum(measured) / 1e6 / len(measured),
        interval_s=elapsed / 1e9 * len(listing.servers) / USED / max(used, 1),
    )


def reading_us(rows: int) -> float:
    """CPU-us to read and count an answer of so many calls."""
    answer, known = answered(rows), dict[bytes, Call]()
    began = time.thread_time_ns()
    for _ in range(_TIMES):
        found: list[Call] = []
        take(answer, 0, found, known)
        who(found)
    return (time.thread_time_ns() - began) / 1000 / _TIMES


def mebibytes() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
