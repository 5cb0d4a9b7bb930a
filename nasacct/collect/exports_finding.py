"""Whether export_stats can be read here, for `nasacct doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasacct.collect.exports import RISK, Exports, risky
from nasacct.collect.finding import Finding, State

if TYPE_CHECKING:
    from nasacct.collect.machine import Listing, Machine
    from nasacct.config import Config


def look(config: Config, machine: Machine, listing: Listing) -> Finding:
    """Read once of each server where the source is on; else nothing is read."""
    reads = {
        "reads": "/proc/<pid>/root/proc/fs/nfsd/export_stats, opened and closed",
        "needs": "root's files of servers' mounts",
    }
    risk = f"; {RISK}" if risky(machine.kernel) else ""
    if Exports.name not in config.sources.enabled:
        mend = "to know who read and wrote which export, at least, name export_stats in sources.enabled"
        return Finding("source", Exports.name, "note", f"not collected{risk}", mend, **reads)
    failed: dict[str, str] = {}
    for server in listing.servers:
        try:
            machine.export_stats(server)
        except OSError as error:
            failed[server.name] = error.strerror or str(error)
    told = f"{len(listing.servers) - len(failed)} of {len(listing.servers)} servers' are readable{risk}"
    if failed:
        name, why = next(iter(failed.items()))
        told += f"; {name}: {why}"
        return Finding("source", Exports.name, "missing", told, "run it as root, on Linux 5.12 or later", **reads)
    state: State = "note" if risk else "ok"
    return Finding("source", Exports.name, state, told, **reads)
