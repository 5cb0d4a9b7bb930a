"""Whether it can be told which disks make up pools, where exports lie and what scrubs read, for `nasacct doctor`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nasacct.collect import kstat_findings, mdstat, places, pools, program, space_finding
from nasacct.collect.finding import Finding
from nasacct.collect.layout import Layout
from nasacct.collect.lines import ParseError
from nasacct.collect.places import Places
from nasacct.collect.scans import Scans
from nasacct.units import in_duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nasacct.collect.machine import Listing, Machine
    from nasacct.config import Config

_TO_KNOW = {
    Layout.name: "which disks make up which pool",
    Places.name: "on which pool each export lies",
    Scans.name: "what scrubs and resilvers read",
}
_PROGRAMS = {Layout.name: "zpool", Places.name: "zfs", Scans.name: "zpool"}
_READS = {
    Layout.name: "zpool status, /proc/mdstat, /proc/self/mountinfo, /sys/class/block",
    Places.name: "/proc/self/mountinfo, /sys/class/block, zfs list",
    Scans.name: "zpool status, /proc/mdstat",
}


def look(
    config: Config,
    machine: Machine,
    listing: Listing,
    kstats: Path = pools.KSTATS,
    device: Path = space_finding.DEVICE,
) -> Iterator[Finding]:
    """Nothing is asked of a pool, for it might not answer; md and file systems are looked at."""
    intervals = {name: getattr(config, name).interval_s for name in _TO_KNOW}
    for name, to_know in _TO_KNOW.items():
        reads = {"reads": f"{_READS[name]}, every {in_duration(intervals[name])}", "needs": f"{device} for ZFS"}
        lacks, mend = _lacks(_PROGRAMS[name], kstats, device)
        told = lacks or _told(name, machine, listing, kstats)
        if name not in config.sources.enabled:
            yield Finding(
                "source",
                name,
                "note",
                f"not collected; {told}",
                f"to know {to_know}, name {name} in sources.enabled",
                **reads,
            )
        elif lacks:
            yield Finding("source", name, "missing", lacks, mend, **reads)
        else:
            yield Finding("source", name, "ok", told, **reads)


def _lacks(wanted: str, kstats: Path, device: Path) -> tuple[str, str]:
    """What is missing to ask ZFS, if there is any, and the mend; '' if nothing is."""
    if kstat_findings.no_pool(kstats)[0]:
        return "", ""
    if program.place(wanted) is None:
        return f"there is no program {wanted}", "install zfsutils"
    if not os.access(device, os.R_OK | os.W_OK):
        return f"{device} may not be opened", "deploy/systemd/nasacct-collect.service.d/space.conf allows it"
    return "", ""


def _told(name: str, machine: Machine, listing: Listing, kstats: Path) -> str:
    """What there is to be looked at."""
    if name == Places.name:
        try:
            known = {server.name for server, _ in places.found(listing.servers, machine.disks())}
        except OSError as error:
            return f"nothing is known of disks: {error.strerror}"
        return f"of {len(known)} of {len(listing.servers)} servers it is known where their exports lie"
    of_zfs = 0 if kstat_findings.no_pool(kstats)[0] else len(pools.look(kstats))
    try:
        of_md = len(mdstat.parse(machine.file(mdstat.PATH)))
    except (OSError, ParseError):
        of_md = 0
    return f"{of_zfs} pools of ZFS, {of_md} arrays of md"
