"""What the collector runs in: kernel, init system, clocks, limits and capabilities of this process."""

from __future__ import annotations

import ctypes
import os
import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nasacct.collect.finding import Finding
from nasacct.units import in_duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

#: Descriptors that a server costs (its counter file, its process), and those that the collector has anyway.
_PER_SERVER, _BESIDE = 2, 64
#: Capabilities that reading the servers may take, by their number (include/uapi/linux/capability.h).
_CAPABILITIES = {2: "CAP_DAC_READ_SEARCH", 11: "CAP_NET_BROADCAST", 19: "CAP_SYS_PTRACE", 21: "CAP_SYS_ADMIN"}
#: adjtimex(2): the clock's state and status when nothing keeps it right.
_TIME_ERROR, _STA_UNSYNC = 5, 0x40


def look(zone: ZoneInfo, servers: int) -> Iterator[Finding]:
    """Every finding about this machine, for so many servers."""
    release = os.uname()
    yield Finding("machine", "kernel", "ok", f"{release.sysname} {release.release} {release.machine}")
    yield Finding("machine", "init", "ok", init_system())
    yield from _clocks(zone)
    yield _descriptors(servers)
    yield _capabilities()


def init_system(root: Path = Path("/")) -> str:
    """What starts services here, and how the collector runs under it."""
    if (root / "run/systemd/system").is_dir():
        return "systemd: deploy/systemd has the units"
    try:
        first = (root / "proc/1/comm").read_text().strip()
    except OSError:
        first = "unknown"
    if first.startswith("runit") or (root / "run/runit").is_dir():
        return "runit: deploy/runit has the services"
    return f"neither systemd nor runit (process 1 is {first}): run nasacct collect in the foreground of a supervisor"


def _clocks(zone: ZoneInfo) -> Iterator[Finding]:
    up = time.clock_gettime(time.CLOCK_BOOTTIME)
    yield Finding("machine", "uptime", "ok", f"{in_duration(up)} by CLOCK_BOOTTIME")
    now = datetime.now(UTC).astimezone(zone)
    yield Finding("machine", "time zone", "ok", f"{zone.key}, now {now.isoformat(' ', 'seconds')}")
    synchronised = clock_is_kept()
    if synchronised is None:
        yield Finding("machine", "clock", "note", "the kernel does not say whether the clock is kept right")
    elif synchronised:
        yield Finding("machine", "clock", "ok", "kept right by NTP (adjtimex)")
    else:
        yield Finding(
            "machine",
            "clock",
            "note",
            "not synchronised (adjtimex): what was used is exact, when it was used is as wrong as the clock",
            "run chrony, ntpd or systemd-timesyncd",
        )


def clock_is_kept() -> bool | None:
    """Whether the kernel takes its clock for synchronised (adjtimex(2)); None when it does not say."""
    # struct timex begins with `unsigned int modes` and has `int status` after four longs; 208 bytes on 64 bits
    timex = ctypes.create_string_buffer(256)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    if state < 0:
        return None
    status = ctypes.c_int.from_buffer(timex, 5 * ctypes.sizeof(ctypes.c_long)).value
    return state != _TIME_ERROR and not status & _STA_UNSYNC


def _descriptors(servers: int) -> Finding:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = servers * _PER_SERVER + _BESIDE
    shown = "unlimited" if limit == resource.RLIM_INFINITY else str(limit)
    found = f"limit {shown} here; {servers} servers need about {needed}"
    if limit == resource.RLIM_INFINITY or limit >= 2 * needed:
        return Finding("machine", "open files", "ok", found)
    return Finding("machine", "open files", "missing", found, "raise it: LimitNOFILE= of the unit, or ulimit -n")


def _capabilities() -> Finding:
    effective = next(
        (int(line.split()[1], 16) for line in Path("/proc/self/status").read_text().splitlines() if "CapEff" in line), 0
    )
    lacking = [name for number, name in _CAPABILITIES.items() if not effective >> number & 1]
    who = f"user {os.geteuid()}"
    if not lacking:
        return Finding("machine", "capabilities", "ok", f"{who} has all that reading the servers can take")
    return Finding(
        "machine",
        "capabilities",
        "note",
        f"{who} lacks {', '.join(lacking)}",
        "run it as root, or see deploy/systemd/nasacct-collect.service for what each is needed for",
    )
