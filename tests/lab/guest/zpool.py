"""A pool of ZFS instead of ext4, for guests that were given the image of tests/lab/build-zfs.

As in production: nothing is synced because somebody asks for it (sync=disabled), and a transaction group is open for
15 s.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from topology import POOL, lines, run

IMAGE = Path("/dev/disk/lab/zfs")
NAME = POOL.name
TXG_TIMEOUT_S = 15
#: So little is kept in memory, or a small machine's disk would never be asked.
ARC_BYTES = 96 << 20


def load() -> None:
    """Bring ZFS's programs and modules into the guest, and load them."""
    at = Path("/lab/zfs")
    at.mkdir(parents=True)
    run("mount", "-o", "ro", str(IMAGE.resolve()), str(at))
    shutil.copytree(at / "usr", "/usr", symlinks=True, dirs_exist_ok=True)
    run("ldconfig")
    run("insmod", str(at / "labmodules/spl.ko"))
    parameters = f"zfs_txg_timeout={TXG_TIMEOUT_S}", f"zfs_arc_max={ARC_BYTES}", f"zfs_arc_min={ARC_BYTES // 2}"
    run("insmod", str(at / "labmodules/zfs.ko"), *parameters)


def create(disk: str) -> None:
    """The pool on that disk, at POOL."""
    device = Path(disk).resolve()
    # given a whole disk, zpool makes partitions and then waits in vain for a udev, which the guest lacks; given the
    # partition that it has just made, it goes on
    run("env", "ZPOOL_IMPORT_UDEV_TIMEOUT_MS=100", "zpool", "create", "-f", "junk", str(device), check=False)
    run("zpool", "destroy", "junk", check=False)
    POOL.rmdir()
    properties = "atime=off", "xattr=sa", "compression=off", "sync=disabled"
    options = [word for each in properties for word in ("-O", each)]
    run("zpool", "create", "-f", *options, "-m", str(POOL), NAME, f"{device}1")


def datasets(names: list[str]) -> None:
    """A dataset for each of the names."""
    lines("\n".join(f"zfs create {NAME}/{name}" for name in names))
