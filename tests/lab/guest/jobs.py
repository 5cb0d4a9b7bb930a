"""What the NAS itself does to its pool: backups and scrubs, each for so many seconds."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import zpool
from topology import POOL, run

if TYPE_CHECKING:
    from collections.abc import Callable

#: What backups are received of, and the stream; kept in memory, so that nothing but receiving asks for the disk.
SENT_MIB, STREAM = 96, Path("/tmp/stream")


def tar(seconds: float) -> None:
    """A backup of a member's files by tar, once more when it has come to its end."""
    # to a pipe: what goes to /dev/null tar does not read
    command = f"while :; do tar -C {POOL} -cf - 1002 | cat >/dev/null; done"
    subprocess.run(["timeout", str(seconds), "sh", "-c", command], check=False)


def stream() -> None:
    """Make the stream that is received later."""
    run("zfs", "create", f"{zpool.NAME}/sent")
    run("dd", "if=/dev/urandom", f"of={POOL}/sent/content", "bs=1M", f"count={SENT_MIB}")
    run("zfs", "snapshot", f"{zpool.NAME}/sent@1")
    run("sh", "-c", f"zfs send {zpool.NAME}/sent@1 >{STREAM}")
    run("zfs", "destroy", "-r", f"{zpool.NAME}/sent")


def zfs_recv(seconds: float) -> None:
    """Backups received one after the other."""
    end, number = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        number += 1
        command = f"zfs recv {zpool.NAME}/backup{number} <{STREAM}"
        subprocess.run(["timeout", str(left), "sh", "-c", command], check=False)


def scrub(seconds: float) -> None:
    """Scrubs one after the other; the last one is stopped when the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run("zpool", "scrub", zpool.NAME, check=False)  # it is still under way
        time.sleep(0.5)
    run("zpool", "scrub", "-s", zpool.NAME, check=False)


JOBS: dict[str, Callable[[float], None]] = {"tar": tar, "zfs recv": zfs_recv, "scrub": scrub}
