"""Whether datasets' space can be asked for here, for `nasacct doctor`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nasacct.collect import kstat_findings, pools, program, space
from nasacct.collect.finding import Finding
from nasacct.units import in_duration

if TYPE_CHECKING:
    from nasacct.config import Config

DEVICE = Path("/dev/zfs")


def look(config: Config, kstats: Path = pools.KSTATS, device: Path = DEVICE) -> Finding:
    """Nothing is asked of a pool, for it might not answer."""
    reads = {"reads": f"zfs list -Hp, every {in_duration(config.space.interval_s)}", "needs": f"{device}"}
    lacks, mend = kstat_findings.no_pool(kstats)
    stands = {} if lacks else pools.look(kstats)
    if not lacks and program.place("zfs") is None:
        lacks, mend = "there is no program zfs", "install zfsutils"
    elif not lacks and not os.access(device, os.R_OK | os.W_OK):
        lacks, mend = f"{device} may not be opened", "deploy/systemd/nasacct-collect.service.d/space.conf allows it"
    asleep = [why for why in stands.values() if why]
    told = lacks or "; ".join([f"{len(stands) - len(asleep)} of {len(stands)} pools answer", *asleep])
    if space.Space.name not in config.sources.enabled:
        to_know = "to know what datasets hold and when they are full, name space in sources.enabled"
        return Finding("source", space.Space.name, "note", f"not collected; {told}", to_know, **reads)
    if lacks:
        return Finding("source", space.Space.name, "missing", lacks, mend, **reads)
    return Finding("source", space.Space.name, "note" if asleep else "ok", told, **reads)
