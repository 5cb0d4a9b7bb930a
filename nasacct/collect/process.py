"""One process as /proc shows it: whether it lives, when it began, in which network namespace it is.

/proc/<pid>/stat (proc_pid_stat(5)): `4711 (runit (x) y) S 1 ...`. The name stands in the first and the last bracket
and may hold anything in between, brackets and line ends included; field 3 is the state, field 22 the start in clock
ticks after boot.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Clock ticks per second in which the kernel prints times (USER_HZ).
TICKS = os.sysconf("SC_CLK_TCK")
#: States of a process that has ended: zombie, dead.
_ENDED = (b"Z", b"X", b"x")
#: A stat line has about 52 fields of at most 20 digits and a name of at most 64 bytes.
_STAT_BYTES = 2048


def content(path: str, limit: int) -> bytes:
    """The first `limit` bytes of a small file, read in one go. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(fd, limit)
    finally:
        os.close(fd)


def started(proc: str, pid: int) -> int | None:
    """When process `pid` began, in ticks after boot; None when there is no such process or it has ended.

    Raises OSError when the answer cannot be had (no permission, too many open files).
    """
    try:
        stat = content(f"{proc}/{pid}/stat", _STAT_BYTES)
    except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
        return None
    fields = stat.rpartition(b")")[2].split()
    if len(fields) < 20 or not fields[19].isdigit():
        raise OSError(f"{proc}/{pid}/stat is not in a form that nasacct knows")
    return None if fields[0] in _ENDED else int(fields[19])


def io(text: bytes, names: Sequence[bytes]) -> tuple[int, ...] | None:
    """The numbers of these names in an io file (proc_pid_io(5)), lines of `name: number`; None without one of them."""
    found = dict(line.partition(b": ")[::2] for line in text.split(b"\n"))
    values = [found.get(name, b"") for name in names]
    return tuple(map(int, values)) if all(value.isdigit() for value in values) else None


def namespace(proc: str, pid: int | str) -> int | None:
    """The inode number of the process's network namespace; None when it may not or can no longer be seen.

    The number tells namespaces apart that live at the same moment. It is used again at once after a namespace's end.
    """
    try:
        target = str(Path(proc, str(pid), "ns", "net").readlink())  # `net:[4026531840]`
    except OSError:
        return None
    number = target.removeprefix("net:[").removesuffix("]")
    return int(number) if number.isdecimal() else None


def born_boot_ns(ticks: int) -> int:
    """The same moment in ns of CLOCK_BOOTTIME; exact to a tick."""
    return ticks * (1_000_000_000 // TICKS)


def born_ns(ticks: int) -> int:
    """The same moment as UTC nanoseconds, by this process's own clocks as they are now; exact to a tick."""
    return time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME) + born_boot_ns(ticks)


def born_wall_s(proc: str, ticks: int) -> float:
    """Wall clock time (UTC, seconds) of a moment `ticks` after boot, by today's clock; exact to a second.

    /proc/stat's `btime` moves when the clock is stepped. Raises OSError.
    """
    for line in Path(proc, "stat").read_text(encoding="ascii", errors="replace").splitlines():
        key, _, value = line.partition(" ")
        if key == "btime" and value.strip().isdecimal():
            return int(value) + ticks / TICKS
    raise OSError(f"{proc}/stat has no line btime")


def in_cgroup(proc: str, pid: int, part: str) -> bool:
    """Whether a control group of the process has `part` in its path; False when that cannot be seen."""
    try:
        return os.fsencode(part) in content(f"{proc}/{pid}/cgroup", 65536)
    except OSError:
        return False
