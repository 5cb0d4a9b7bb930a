"""What this machine lets nasacct read, tried for real: each source is asked once, as the collector would ask it."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import Counter
from typing import TYPE_CHECKING

from nasacct.collect import (
    exports_finding,
    kstat_findings,
    layout_findings,
    local_finding,
    samplable,
    semantics,
    space_finding,
    speeds_finding,
    strain_finding,
    surroundings,
    tracing_findings,
)
from nasacct.collect.clients import Clients
from nasacct.collect.finding import Finding, State
from nasacct.collect.nfsd import Nfsd
from nasacct.errors import NasacctError
from nasacct.store import place, root
from nasacct.store.mounts import mounts
from nasacct.units import in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nasacct.collect.connections import Connection
    from nasacct.collect.machine import Listing, Machine
    from nasacct.config import Config

#: The counters are looked at so many times, so far apart: what counts the host shows only when something happens.
_LOOKS, _APART_S = 3, 0.2
#: What the groups of `semantics` are called in docs/glossary.md.
_GROUPS = {
    "rc": "calls",
    "io": "bytes read and written",
    "proc4ops": "NFSv4 operations",
    "rpc": "bad calls",
    "net": "connections",
    "procs": "NFSv2 and v3 procedures",
    "th": "threads",
}
#: Files of the whole host: what they are called, the mend when they are missing.
_HOST_FILES = {
    "proc/stat": ("CPU", ""),
    "proc/loadavg": ("load", ""),
    "proc/meminfo": ("memory", ""),
    "proc/pressure/io": ("pressure", "boot with psi=1 to learn how long I/O kept tasks waiting"),
}


def examine(config: Config, machine: Machine) -> Iterator[Finding]:
    """Everything there is to say, in the order in which it is read: sources, counters, machine, store."""
    listing = machine.servers()
    yield _servers(config, listing)
    numbers = itertools.count(1)
    nfsd = Nfsd(lambda _subject: next(numbers))
    yield _nfsd(nfsd, machine, listing)
    yield _links(machine, listing)
    yield speeds_finding.look(config, machine, listing)
    yield _clients(config, machine, listing)
    yield exports_finding.look(config, machine, listing)
    yield from tracing_findings.look(config.sources.enabled)
    yield samplable.look(config, machine, listing)
    yield space_finding.look(config)
    yield from kstat_findings.look(config, machine, listing)
    yield local_finding.look(config, machine, listing)
    yield from layout_findings.look(config, machine, listing)
    yield _disks(machine)
    yield strain_finding.look(config, machine)
    yield from _files(machine)
    yield from _counters(nfsd.semantics, machine)
    yield from surroundings.look(config.tz, len(listing.servers))
    yield from _store(config)


def _servers(config: Config, listing: Listing) -> Finding:
    ways = [str(config.servers.exportfs)] if config.servers.exportfs else []
    ways += ["/run/netns"] if config.servers.namespaces else []
    ways += ["servers.static"] if config.servers.static else []
    found = Counter(str(server.about.get("found", "static")) for server in listing.servers)
    told = ", ".join(f"{number} by {way}" for way, number in sorted(found.items())) or "none"
    reads = {"reads": ", ".join(ways), "needs": "CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE; CAP_SYS_ADMIN for namespaces"}
    if not listing.complete:
        notes = "; ".join(listing.notes)
        return Finding(
            "source", "servers", "missing", f"{told}; not all can be listed: {notes}", "run it as root", **reads
        )
    if not listing.servers:
        mend = "start one, or say in servers.exportfs or servers.static where they are"
        return Finding("source", "servers", "missing", "no NFS server lives here", mend, **reads)
    state: State = "note" if listing.notes else "ok"
    return Finding("source", "servers", state, "; ".join([told, *listing.notes]), **reads)


def _nfsd(source: Nfsd, machine: Machine, listing: Listing) -> Finding:
    began = time.perf_counter()
    batch = source.read(machine, listing)
    took_ms = 1000 * (time.perf_counter() - began)
    for _ in range(_LOOKS - 1):
        time.sleep(_APART_S)
        source.read(machine, listing)
    asked, failed = len(listing.servers), len(batch.failed)
    told = f"{asked - failed} of {asked} servers' counters are readable in {took_ms:.3g} ms"
    if batch.unknown_fields:
        told += f"; {batch.unknown_fields} lines or fields are new to nasacct and kept out"
    reads = {"reads": "/proc/<pid>/net/rpc/nfsd", "needs": "none beyond finding the servers"}
    if failed:
        reasons = ", ".join(sorted(set(batch.failed.values())))
        mend = (
            "counters by server need Linux 6.9 or a stable kernel of autumn 2024 or later; "
            "`nasacct parse nfsd FILE` shows how one is read"
        )
        return Finding("source", "nfsd", "missing", f"{told}: {reasons}", mend, **reads)
    return Finding("source", "nfsd", "ok" if asked else "note", told, **reads)


def _links(machine: Machine, listing: Listing) -> Finding:
    reads = {"reads": "netlink RTM_GETSTATS, all interfaces in one dump", "needs": "none"}
    try:
        names = set(machine.links().names)
    except OSError as error:
        return Finding("source", "links", "missing", f"not readable: {error.strerror}", "allow AF_NETLINK", **reads)
    without = [server.name for server in listing.servers if server.link not in names]
    told = (
        f"{len(names)} interfaces, {len(listing.servers) - len(without)} of {len(listing.servers)} servers' among them"
    )
    if without:
        mend = "name the host's end of their veth in servers.static"
        return Finding(
            "source", "links", "missing", f"{told}; none is known of {', '.join(without[:5])}", mend, **reads
        )
    return Finding("source", "links", "ok", told, **reads)


def _clients(config: Config, machine: Machine, listing: Listing) -> Finding:
    """Also when they are not collected: then one server is asked whether they could be."""
    reads = {"reads": "sock_diag in each server's network namespace", "needs": "CAP_SYS_ADMIN, to enter it"}
    wanted = Clients.name in config.sources.enabled
    asked = listing.servers if wanted else listing.servers[:1]
    found: list[Connection] = []
    failed: dict[str, str] = {}
    began = time.thread_time_ns()
    for server in asked:
        try:
            with contextlib.closing(machine.connections(server)) as connections:
                found += connections.all()
        except OSError as error:
            failed[server.name] = error.strerror or str(error)
    took_ms = (time.thread_time_ns() - began) / 1e6
    some = "".join(f"; {name}: {why}" for name, why in itertools.islice(failed.items(), 3))
    if not wanted:
        told = (
            f"not collected{some}" if some or not asked else f"not collected; a server's are listed in {took_ms:.3g} ms"
        )
        return Finding("source", "clients", "note", told, "to know them, name clients in sources.enabled", **reads)
    clients = len({connection.client for connection in found})
    told = f"{len(found)} connections of {clients} clients, listed in {took_ms:.3g} CPU-ms{some}"
    if failed:
        return Finding("source", "clients", "missing", told, "run it as root, on Linux 4.2 or later", **reads)
    return Finding("source", "clients", "ok", told, **reads)


def _disks(machine: Machine) -> Finding:
    reads = {"reads": "/proc/diskstats and /sys/block", "needs": "none"}
    try:
        disks = machine.disks()
    except OSError as error:
        return Finding("source", "disks", "missing", f"not readable: {error.strerror}", "mount /proc and /sys", **reads)
    if not disks:
        return Finding(
            "source", "disks", "note", "no whole disk is seen", "see disks.include and disks.exclude", **reads
        )
    rotational = sum(disk.rotational is True for disk in disks)
    return Finding("source", "disks", "ok", f"{len(disks)} seen, {rotational} of them rotating", **reads)


def _files(machine: Machine) -> Iterator[Finding]:
    for path, (name, mend) in _HOST_FILES.items():
        reads = {"reads": f"/{path}", "needs": "none"}
        try:
            machine.file(path)
        except OSError as error:
            yield Finding("source", name, "note", f"not readable: {error.strerror}", mend, **reads)
        else:
            yield Finding("source", name, "ok", "readable", **reads)


def _counters(found: semantics.Semantics, machine: Machine) -> Iterator[Finding]:
    """What each group of counters counts, as probed on this kernel."""
    try:
        machine.file("proc/net/rpc/nfsd")
    except OSError:
        mend = "start an NFS server, or modprobe nfsd"
        yield Finding("counter", "nfsd module", "missing", "not loaded: there is nothing to count", mend)
        return
    meaning: dict[str, tuple[State, str]] = {
        "server": ("ok", "of each server alone"),
        "host": ("note", "of the whole host: stored for the node, not for servers"),
        "undecided": ("note", "not decided yet; the collector looks again each cycle"),
    }
    for group, name in _GROUPS.items():
        state, told = meaning[found.of(group)]
        yield Finding("counter", name, state, told)


def _store(config: Config) -> Iterator[Finding]:
    try:
        found = place.look(config.root)
    except OSError as error:
        yield Finding("store", "root", "missing", f"{config.root}: {error.strerror}", "name another --root")
        return
    where = f"{config.root} on {found.kind} at {found.point}"
    if config.mountpoint is not None and all(mount.point != config.mountpoint for mount in mounts()):
        mend = f"mount {config.mountpoint}; the collector waits for it"
        yield Finding("store", "file system", "missing", f"nothing is mounted on {config.mountpoint}", mend)
    elif found.forgets:
        mend = "name a --root on a disk or pool"
        yield Finding("store", "file system", "missing", f"{where}: {found.forgets}, lost at reboot", mend)
    else:
        yield Finding("store", "file system", "ok", where)
    low = found.free_bytes < max(1e9, found.total_bytes / 50)
    free = f"{in_bytes(found.free_bytes)} free of {in_bytes(found.total_bytes)}"
    mend = "free some, or name another --root" if low else ""
    yield Finding("store", "space", "missing" if low else "ok", free, mend)
    try:
        version = root.version(config.root)
    except NasacctError as error:
        yield Finding("store", "version", "missing", *error.sentence.rsplit("; ", 1))
        return
    except OSError as error:
        yield Finding("store", "version", "missing", f"not readable: {error.strerror}", "join the store's group")
        return
    if version is None or found.owner is None:
        yield Finding("store", "version", "note", "there is no store yet", "nasacct collect makes it")
        return
    yield Finding("store", "version", "ok", str(version))
    open_to_all = not found.owner.endswith("0")
    mend = f"chmod o-rwx {config.root}: the store says who uses the NAS" if open_to_all else ""
    yield Finding("store", "owner", "missing" if open_to_all else "ok", found.owner, mend)
    held = ", ".join(found.held)
    yield Finding("store", "writers", "ok" if held else "note", held or "nobody writes to it now")
