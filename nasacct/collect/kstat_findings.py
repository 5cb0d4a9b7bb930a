"""Whether ZFS's counters of datasets and pools can be read here, for `nasacct doctor`."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from nasacct.collect import objset, pools
from nasacct.collect.datasets import Datasets
from nasacct.collect.finding import Finding
from nasacct.collect.pool_counters import Pools
from nasacct.units import in_duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nasacct.collect.machine import Listing, Machine
    from nasacct.config import Config

#: What each is good for, and what it reads.
_TO_KNOW = {
    Datasets.name: "what is read and written in each dataset",
    Pools.name: "what pools commit, and who waits for it",
}
_READS = {Datasets.name: "POOL/objset-*", Pools.name: "POOL/txgs, iostats, dmu_tx_assign, state, and dmu_tx"}


def look(config: Config, machine: Machine, listing: Listing, kstats: Path = pools.KSTATS) -> Iterator[Finding]:
    """Each source that is on reads once; of the others files are counted."""
    lacks, mend = _lacks(kstats)
    interval_s = {Datasets.name: config.datasets.interval_s, Pools.name: config.pools.interval_s}
    numbers = itertools.count(1)
    sources = [kind(lambda _subject: next(numbers), interval_s[kind.name], kstats=kstats) for kind in (Datasets, Pools)]
    for source in sources:
        name = source.name
        reads = {"reads": f"{kstats}/{_READS[name]}, every {in_duration(interval_s[name])}", "needs": "none"}
        if name not in config.sources.enabled:
            told = lacks or f"{_count(name, kstats)} {name} could be"
            to_know = f"to know {_TO_KNOW[name]}, name {name} in sources.enabled"
            yield Finding("source", name, "note", f"not collected; {told}", to_know, **reads)
        elif lacks:
            yield Finding("source", name, "missing", lacks, mend, **reads)
        else:
            yield _tried(source, machine, listing, reads)


def no_pool(kstats: Path) -> tuple[str, str]:
    """Why there is no pool to look at, and the mend; '' if there is one."""
    try:
        there = pools.look(kstats)
    except OSError as error:
        return f"there is no ZFS here ({kstats}: {error.strerror})", "modprobe zfs"
    return ("", "") if there else ("no pool is imported", "zpool import")


def _lacks(kstats: Path) -> tuple[str, str]:
    """What is missing for either, and the mend; '' if nothing is."""
    lacks = no_pool(kstats)
    if not lacks[0] and not pools.guids(kstats):
        return "this ZFS does not tell pools' guids", "use ZFS 2.2 or later"
    return lacks


def _count(name: str, kstats: Path) -> int:
    there = pools.guids(kstats)
    if name == Pools.name:
        return len(there)
    return sum(objset.number_of(file.name) is not None for pool in there for file in (kstats / pool).iterdir())


def _tried(source: Datasets | Pools, machine: Machine, listing: Listing, reads: dict[str, str]) -> Finding:
    began = time.thread_time()
    try:
        batch = source.read(machine, listing)
    except OSError as error:
        return Finding("source", source.name, "missing", f"not readable: {error}", "run it as root", **reads)
    took_ms = 1000 * (time.thread_time() - began)
    read = [one for one in batch.listed or () if one not in batch.failed and None not in one.keys.values()]
    told = [f"{len(read)} {source.name} are read in {took_ms:.3g} CPU-ms"]
    if batch.unknown_fields:
        told.append(f"{batch.unknown_fields} fields are new to nasacct and kept out")
    if batch.note:
        told.append(batch.note)
    return Finding("source", source.name, "note" if batch.note else "ok", "; ".join(told), **reads)
