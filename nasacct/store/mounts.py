r"""Which file system a path lies on, and whether that one forgets everything at reboot.

    25 24 0:23 / /dev/shm rw,relatime shared:3 - tmpfs tmpfs rw,size=24684096k

A line of /proc/self/mountinfo (proc_pid_mountinfo(5)): the third field is the number of the device, the fifth where it
is mounted, then optional fields up to a single dash, the type, the source and the options of the file system itself.
Blanks in paths are octal: `\040`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

#: Types whose content lives in memory only.
VOLATILE_TYPES = frozenset({"tmpfs", "ramfs", "rootfs", "devtmpfs", "hugetlbfs"})
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system: where, of which type, from what, with which options of its own.

    `number` is its device's, major:minor; of one that lies on no block device, or on several, it is nobody's.
    """

    point: Path
    kind: str
    source: str
    options: str
    number: str = ""

    def option(self, name: str) -> str | None:
        """The value of the option `name=value`, None without it."""
        return next((o.split("=", 1)[1] for o in self.options.split(",") if o.startswith(name + "=")), None)


def mounts(text: str | None = None) -> list[Mount]:
    """All mounts in the order in which they were made, of `text` or else of this process."""
    if text is None:
        text = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    found = []
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        place, system = before.split(" "), after.split(" ")
        if dash and len(place) > 4 and len(system) > 2:
            found.append(Mount(Path(_plain(place[4])), system[0], _plain(system[1]), _plain(system[2]), place[2]))
    return found


def mount_of(path: Path, among: list[Mount]) -> Mount | None:
    """The mount that `path`, existing or not, lies on: the longest mount point above it, the latest of equals."""
    real = path.resolve()
    best = None
    for mount in among:
        above = real == mount.point or mount.point in real.parents
        if above and (best is None or len(mount.point.parts) >= len(best.point.parts)):
            best = mount
    return best


def forgets(path: Path, among: list[Mount]) -> str | None:
    """Why what is written below `path` is gone after a reboot (`a tmpfs`, ...); None when it stays."""
    mount = mount_of(path, among)
    if mount is None:
        return None
    if mount.kind in VOLATILE_TYPES:
        return f"a {mount.kind}"
    upper = mount.option("upperdir") if mount.kind == "overlay" else None
    below = mount_of(Path(upper), among) if upper else None
    # in a container the upper folder is not visible: the mount found is then the overlay itself, which tells nothing
    if below is not None and below is not mount and below.kind in VOLATILE_TYPES:
        return f"an overlay on a {below.kind}"
    return None


def _plain(field: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), field)
