"""The place of a store as an administrator sees it: file system, space, owner, who writes to it now."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from nasacct.store.mounts import forgets, mount_of, mounts


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is or would be. `forgets` says why what is written there is lost at reboot, None if it stays.

    `owner` is `user:group mode`, None while the directory does not exist. `held` are the locks held now, as
    `node/role`.
    """

    root: Path
    kind: str
    point: str
    forgets: str | None
    free_bytes: int
    total_bytes: int
    owner: str | None
    readable: bool
    held: tuple[str, ...]


def look(root: Path) -> Place:
    """The place of `root`, whether or not it exists. OSError when not even its file system can be asked."""
    among = mounts()
    mount = mount_of(root, among)
    nearest = next(path for path in (root, *root.parents) if path.exists())
    space = shutil.disk_usage(nearest)
    return Place(
        root,
        mount.kind if mount else "unknown",
        str(mount.point) if mount else "?",
        forgets(root, among),
        space.free,
        space.total,
        _owner(root.stat()) if root.exists() else None,
        os.access(root, os.R_OK | os.X_OK),
        tuple(held(root)),
    )


def _owner(status: os.stat_result) -> str:
    try:
        user = pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        user = str(status.st_uid)
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    return f"{user}:{group} {stat.S_IMODE(status.st_mode):04o}"


def held(root: Path) -> list[str]:
    """Who holds a lock, by /proc/locks: asking with flock itself could refuse a collector that starts this moment."""
    try:
        locked = {
            (int(fields[4]), int(fields[5].rpartition(":")[2]))
            for line in Path("/proc/locks").read_text().splitlines()
            if len(fields := line.split()) > 5 and fields[1] == "FLOCK" and fields[5].count(":") == 2
        }
    except (OSError, ValueError):
        return []
    found = []
    for path in sorted(root.glob("node=*/*.lock")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            # the number of the device is another one on some file systems (btrfs); pid and inode say enough
            if (json.loads(path.read_bytes())["pid"], path.stat().st_ino) in locked:
                found.append(f"{path.parent.name.removeprefix('node=')}/{path.stem}")
    return found
