"""The store's directory: where it may be, how it is made, and who may write to it.

    ROOT/store.json                    {"nasacct_store": 1}
    ROOT/node=N/collect.lock           flock(2), held while `nasacct collect` runs; its content names the holder

A store on a file system that forgets is refused, and so is one whose parent is missing: at boot the pool may not be
mounted yet, and what is written underneath its mount point would disappear as soon as it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import json
import os
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from nasacct.errors import CANT_CREATE, DATA, NO_INPUT, TEMPORARY, ConfigError, NasacctError, of_os
from nasacct.store.copies import refuse
from nasacct.store.mounts import forgets, mount_of, mounts
from nasacct.store.sync import sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from threading import Event

#: The version of the layout on disk that this program reads and writes.
VERSION = 1
_MODE = 0o750


def prepare(root: Path, *, volatile: bool = False, reader_group: str | None = None, parents: bool = False) -> None:
    """Make `root` a store unless it is one: NasacctError where it must not or cannot be.

    `volatile` allows a file system that forgets. `parents` makes missing folders above, for places that are nobody's
    mount point. A new store has mode 0750 and, if given, the reader group; an existing one keeps what it has.
    """
    try:
        group = -1 if reader_group is None else _group(reader_group)
        _refuse(root, volatile=volatile, parents=parents)
        if not root.exists():
            if parents:
                root.parent.mkdir(parents=True, exist_ok=True)
            root.mkdir(mode=_MODE, exist_ok=True)
            os.chown(root, -1, group)
            # what is made inside then belongs to the readers' group too
            root.chmod(_MODE | (stat.S_ISGID if reader_group else 0))
        if version(root) is None:
            write_atomically(root / "store.json", json.dumps({"nasacct_store": VERSION}).encode() + b"\n")
    except OSError as error:
        raise of_os(error, f"making the store {root}") from error


def existing(root: Path) -> Path:
    """`root` again if there is a store that can be read; NasacctError otherwise."""
    try:
        found = version(root)
    except OSError as error:
        raise of_os(error, f"reading the store {root}") from error
    if found is None:
        what = "holds no store" if root.is_dir() else "does not exist"
        raise NasacctError(
            f"{root} {what}; start `nasacct collect` with this --root, or name the store with --root", NO_INPUT
        )
    return root


def version(root: Path, called: object = None) -> int | None:
    """The store's version, None without a store; NasacctError when it is newer than this program or no version.

    `called` is what the store is called in that sentence when it is not its path.
    """
    path = root / "store.json"
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        found = json.loads(text)["nasacct_store"]
    except (ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, int) or isinstance(found, bool):
        raise NasacctError(
            f'{called or root}: store.json is damaged; it should say {{"nasacct_store": {VERSION}}}', DATA
        )
    if found > VERSION:
        raise NasacctError(
            f"the store {called or root} has version {found}, this nasacct knows versions up to {VERSION}; update "
            "nasacct",
            DATA,
        )
    return found


def wait_for_mount(mountpoint: Path, stop: Event, log: Callable[[str], None]) -> bool:
    """Wait until `mountpoint` is one, telling `log` at once and then once a minute; False when `stop` came first."""
    waited = 0
    place = mountpoint.absolute()
    while not any(mount.point == place for mount in mounts()):
        if waited % 60 == 0:
            log(f"waiting for {mountpoint} to be mounted, since {waited} s")
        if stop.wait(1):
            return False
        waited += 1
    return True


class Lock:
    """The right of one process to write its part of one node's tree; given up by `release` or at the process's end."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor: int | None = descriptor
        self.path = path

    def release(self) -> None:
        """Give it up; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock(root: Path, node: str, role: str) -> Lock:
    """The lock of `role` (collect, keep, pull) for one node of a store.

    NasacctError naming the holder if there is one, or when the node's tree is a copy and the role not to pull it.
    """
    folder = root / f"node={node}"
    if role != "pull":
        refuse(folder, role)
    return hold(folder / f"{role}.lock", f"`nasacct {role}` already runs on {folder}", "or name another --root")


def hold(path: Path, taken: str, mend: str) -> Lock:
    """The lock on the file `path`, made with its folder if missing.

    NasacctError when another process holds it: the sentence begins with `taken`, names that process, and says to stop
    it first or the `mend`.
    """
    try:
        path.parent.mkdir(mode=_MODE, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise of_os(error, f"locking {path}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        said = {
            "pid": os.getpid(),
            "host": os.uname().nodename,
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(said).encode() + b"\n", 0)
    except OSError as error:
        holder = _holder(descriptor)
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise of_os(error, f"locking {path}") from error
        raise NasacctError(f"{taken}: {holder}; stop that one first, {mend}", TEMPORARY) from None
    return Lock(descriptor, path)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a small file so that a reader and a crash see the old content or the new, never a part; OSError."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def _refuse(root: Path, *, volatile: bool, parents: bool) -> None:
    if root.exists() and not root.is_dir():
        raise NasacctError(f"{root} is not a directory; name another --root", CANT_CREATE)
    if not root.exists() and not root.parent.exists() and not parents:
        raise NasacctError(
            f"{root.parent} does not exist, so the store {root.name} is not made in it; mount its pool or make that "
            "directory, or name another --root",
            CANT_CREATE,
        )
    among = mounts()
    if not volatile and (why := forgets(root, among)):
        mount = mount_of(root, among)
        raise NasacctError(
            f"{root} is on {why} (mounted at {mount.point if mount else '?'}) and would be lost at reboot; name a "
            "--root on a disk or pool, or say --volatile",
            CANT_CREATE,
        )


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigError(f"reader_group = {name} is no group of this system; make it with groupadd") from None


def _holder(descriptor: int) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        said = json.loads(os.pread(descriptor, 4096, 0))
        return f"pid {said['pid']} on {said['host']} since {said['since']}"
    return "a process that has not said its name"
