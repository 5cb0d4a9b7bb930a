"""Whether the collector itself can say that the disks do not keep up, for `nasacct doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasacct.collect import pressure
from nasacct.collect.diskstats import Disks
from nasacct.collect.finding import Finding
from nasacct.collect.node import Node
from nasacct.units import in_percent

if TYPE_CHECKING:
    from nasacct.collect.machine import Machine
    from nasacct.config import Config


def look(config: Config, machine: Machine) -> Finding:
    """What `strain.py` would take."""
    reads = {"reads": "what disks and node have read, in memory", "needs": "none"}
    if Disks.name not in config.sources.enabled:
        mend = "for the collector to say that the disks do not keep up, name disks in sources.enabled"
        return Finding("source", "strain", "note", "disks are not collected", mend, **reads)
    try:
        disks = [disk.device for disk in machine.disks() if disk.rotational is not False]
    except OSError as error:
        return Finding("source", "strain", "missing", f"not readable: {error.strerror}", "mount /sys", **reads)
    if not disks:
        told = "no disk rotates, and of others only nasacct keep says that they do not keep up"
        return Finding("source", "strain", "note", told, **reads)
    limits = config.episodes
    told = (
        f"says when {len(disks)} disks, taken together, do not keep up: {limits.enter} of {limits.of} cycles at "
        f"{in_percent(limits.busy)} busy"
    )
    try:
        pressure.parse(machine.file(pressure.PATH))
        stalled = Node.name in config.sources.enabled
    except (OSError, ValueError):
        stalled = False
    told += f", or at {in_percent(limits.busy_stalled)} while all tasks stand still" if stalled else ""
    return Finding("source", "strain", "ok", told, **reads)
