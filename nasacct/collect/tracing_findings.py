"""Whether this kernel can add up what nfsd does: what the sources that ask it to would find."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nasacct.collect.finding import Finding
from nasacct.collect.tracing import EVENT, TRACEFS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

#: What each source lets people know.
_TELLS = {
    "inside": "calls and time by NFSv3 procedure",
    "latency": "how long calls take",
    "threads": "what servers read from the disks (ext4, XFS)",
}


def look(enabled: Collection[str], tracefs: Path = TRACEFS) -> Iterator[Finding]:
    """A finding for each source that traces, named in the configuration or not."""
    lacks, mend = _lacks(tracefs)
    reads = {"reads": f"{tracefs}/instances/nasacct-*, histograms of sunrpc:svc_stats_latency", "needs": "root's files"}
    for name, tells in _TELLS.items():
        if name not in enabled:
            can = lacks or "this kernel can count it"
            yield Finding(
                "source", name, "note", f"not collected; {can}", f"{tells}: name {name} in sources.enabled", **reads
            )
        elif lacks:
            yield Finding("source", name, "missing", lacks, mend, **reads)
        else:
            there = (tracefs / "instances" / f"nasacct-{name}").is_dir()
            told = "a collector counts it now" if there else "this kernel can count it"
            yield Finding("source", name, "ok", told, **reads)


def _lacks(tracefs: Path) -> tuple[str, str]:
    """What is missing for histograms, and the mend; empty when nothing is."""
    try:
        if not (tracefs / "instances").is_dir():
            return f"there is no {tracefs}/instances", f"mount -t tracefs tracefs {tracefs}"
        if not (tracefs / EVENT).is_dir():
            return "the kernel has no event sunrpc:svc_stats_latency", "start an NFS server, or modprobe sunrpc"
        if not (tracefs / EVENT / "hist").exists():
            return "the kernel has no histograms", "use a kernel with CONFIG_HIST_TRIGGERS"
        if not os.access(tracefs / EVENT / "trigger", os.W_OK):
            return f"{tracefs}/{EVENT}/trigger may not be written", "run it as root"
    except OSError as error:
        return f"{tracefs} cannot be looked at: {error.strerror}", "run it as root"
    return "", ""
