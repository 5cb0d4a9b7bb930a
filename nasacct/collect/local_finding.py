"""Whether other processes' reading and writing can be looked at here, for `nasacct doctor`."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from nasacct.collect.finding import Finding
from nasacct.collect.local import Local
from nasacct.units import in_duration

if TYPE_CHECKING:
    from nasacct.collect.machine import Listing, Machine
    from nasacct.config import Config


def look(config: Config, machine: Machine, listing: Listing, proc: str = "/proc") -> Finding:
    """Where the source is on, all processes are looked at once."""
    interval_s = config.local.interval_s
    reads = {"reads": f"{proc}/<pid>/io, every {in_duration(interval_s)}", "needs": "CAP_SYS_PTRACE"}
    if Local.name not in config.sources.enabled:
        mend = "to know what backups and other programs here do, name local in sources.enabled"
        return Finding("source", Local.name, "note", "not collected", mend, **reads)
    numbers = itertools.count(1)
    source, began = Local(lambda _subject: next(numbers), interval_s, proc=proc), time.thread_time()
    try:
        batch = source.read(machine, listing)
    except OSError as error:
        return Finding("source", Local.name, "missing", f"not readable: {error.strerror}", "mount /proc", **reads)
    told = f"{len(source)} processes, looked at in {1000 * (time.thread_time() - began):.3g} CPU-ms"
    if batch.note:
        mend = "run it as root, or with CAP_SYS_PTRACE"
        return Finding("source", Local.name, "missing", f"{told}; {batch.note}", mend, **reads)
    return Finding("source", Local.name, "ok", told, **reads)
