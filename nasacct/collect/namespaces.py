"""Discovery of named network namespaces, as ip-netns(8) makes them below /run/netns, and the way into them.

A namespace is entered by setns(2) on a thread that does nothing else and ends at once: the process stays where it is.
There, /proc/thread-self/net is the namespace's own (/proc/net would be the main thread's). A descriptor opened inside
stays good after the thread's end. One on net/rpc/nfsd lets the namespace go when its time comes, one on net/snmp or
net/dev keeps it alive and must be closed.

A namespace's identity is SO_NETNS_COOKIE (5.14), which is never used again; its inode number is, at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nasacct.collect import interfaces, process
from nasacct.collect.exportfs_config import printable
from nasacct.collect.machine import Listing, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Where ip-netns(8) keeps them.
FOLDER = "/run/netns"
#: The counters of a kernel NFS server, below /proc/<pid>/net. It appears when the module nfsd is loaded.
COUNTER = "rpc/nfsd"
#: include/uapi/asm-generic/socket.h
_SO_NETNS_COOKIE = 71
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Inside:
    """What a namespace says of itself: `life` is its identity, `link` the ifindex of the host's veth to it."""

    life: str
    counts: bool
    link: int | None = None
    links: int = 0


def inside(path: str, do: Callable[[], T]) -> T:
    """Call `do` inside the namespace at `path`, on a thread of its own. Raises OSError, and what `do` raises."""
    result: list[T] = []
    trouble: list[BaseException] = []

    def enter() -> None:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if _libc.setns(fd, _CLONE_NEWNET):
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number), path)
            finally:
                os.close(fd)
            result.append(do())
        except BaseException as err:  # noqa: BLE001  raised again below, on the thread that asked
            trouble.append(err)

    thread = threading.Thread(target=enter, name="setns")
    thread.start()
    thread.join()
    if trouble:
        raise trouble[0]
    return result[0]


def life() -> str:
    """The identity of the calling thread's namespace: `cookie N`; on kernels without, `netns N` by its inode number."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            (cookie,) = struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8))
        except OSError as err:
            if err.errno != errno.ENOPROTOOPT:
                raise
            return f"netns {process.namespace('/proc', 'thread-self')}"
    return f"cookie {cookie}"


def inside_same(path: str, expected: str, do: Callable[[], T]) -> T:
    """Call `do` inside the namespace at `path`, if that is still the one with the life `expected`; as `inside`.

    FileNotFoundError when another namespace has taken the place.
    """

    def same() -> T:
        if life() != expected:
            raise FileNotFoundError(errno.ENOENT, "another namespace has taken its place", path)
        return do()

    return inside(path, same)


def open_counter(path: str, counter: str, expected: str) -> int:
    """A descriptor of the counter file inside the namespace; raises as `inside_same`."""
    return inside_same(path, expected, lambda: os.open(f"/proc/thread-self/net/{counter}", os.O_RDONLY | os.O_CLOEXEC))


def look(path: str, counter: str, host_fd: int) -> Inside:
    """Examine the namespace at `path`; `host_fd` is a descriptor of the host's own. Raises OSError."""

    def do() -> Inside:
        identity = life()
        if not os.access(f"/proc/thread-self/net/{counter}", os.R_OK):
            return Inside(identity, counts=False)
        with interfaces.route_socket() as sock:
            # the dump comes first: it is what gives the other ends' namespaces their ids
            found = interfaces.dump(sock)
            host = interfaces.nsid_of(sock, host_fd)
        ends = [i.peer for i in found if i.kind == "veth" and i.peer is not None and i.peer_nsid == host is not None]
        return Inside(identity, counts=True, link=ends[0] if ends else None, links=len(ends))

    return inside(path, do)


@dataclass(slots=True)
class _Known:
    """What was found in a namespace, of which mount (`stamp`), and the host's interfaces at that time."""

    stamp: tuple[int, int]
    found: Inside
    host_links: tuple[tuple[int, str], ...]


class Namespaces:
    """Lists the named namespaces that have the counter file. `passing` tells names that are never servers."""

    def __init__(
        self,
        boot_id: str,
        folder: str = FOLDER,
        counter: str = COUNTER,
        passing: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._boot_id, self.folder, self._counter, self._passing = boot_id, folder, counter, passing
        self._known: dict[str, _Known] = {}

    def read(self) -> Listing:
        """All named namespaces that are servers now. Never raises; what cannot be examined makes it incomplete."""
        try:
            names = sorted(path.name for path in Path(self.folder).iterdir())
        except FileNotFoundError:
            names = []
        except OSError as err:
            note = f"the namespaces in {self.folder} cannot be listed ({_why(err)})"
            return Listing((), complete=False, notes=(note,))
        notes: list[str] = []
        servers: list[Server] = []
        known, self._known = self._known, {}
        host_links = tuple(socket.if_nameindex()) if names else ()
        for name in names:
            if self._passing(name):
                continue
            try:
                found = self._server(name, known.get(name), host_links)
            except FileNotFoundError:
                continue
            except OSError as err:
                notes.append(f"namespace {printable(name)} cannot be examined ({_why(err)}); run as root")
                continue
            if found is not None:
                servers.append(found)
        return Listing(tuple(servers), not notes, tuple(notes))

    def _server(self, name: str, known: _Known | None, host_links: tuple[tuple[int, str], ...]) -> Server | None:
        path = f"{self.folder}/{name}"
        stamp = mounted(path)
        if stamp is None:
            return None
        if known is None or known.stamp != stamp or not known.found.counts or self._moved(known, host_links):
            with host() as fd:
                known = _Known(stamp, look(path, self._counter, fd), host_links)
        self._known[name] = known
        if not known.found.counts:
            return None
        return server(self._boot_id, printable(name), path, stamp[0], known.found, "netns")

    @staticmethod
    def _moved(known: _Known, host_links: tuple[tuple[int, str], ...]) -> bool:
        """Whether a veth may lead there now that did not, or no longer does."""
        if known.host_links == host_links:
            return False
        return known.found.link not in {ifindex for ifindex, _ in host_links}


def server(boot_id: str, name: str, path: str, inode: int, found: Inside, how: str, link: str | None = None) -> Server:
    """The server in the namespace at `path`; without `link` the veth that was found leads to it."""
    if link is None and found.link is not None:
        with contextlib.suppress(OSError):
            link = socket.if_indextoname(found.link)
    about: dict[str, str | int | None] = {"found": how, "netns": inode, "links": found.links}
    if not found.life.startswith("cookie"):
        about["identity"] = "inode number, which may be used again: this kernel has no namespace cookies"
    else:
        about["cookie"] = int(found.life.removeprefix("cookie "))
    return Server(name, f"{boot_id}/{found.life}", link=link, namespace=path, about=about)


def mounted(path: str) -> tuple[int, int] | None:
    """Inode number and time of the namespace at `path`; None for a file on which none is mounted (yet), or the host's.

    The time is that at which the kernel made the inode in memory: with the number it tells a new namespace from the
    one that was there before. Raises OSError.
    """
    status, own = Path(path).stat(), Path("/proc/self/ns/net").stat()
    if status.st_dev != own.st_dev or status.st_ino == own.st_ino:
        return None
    return status.st_ino, status.st_ctime_ns


@contextlib.contextmanager
def host() -> Iterator[int]:
    """A descriptor of this process's own network namespace, for as long as the block lasts."""
    fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _why(err: OSError) -> str:
    return (err.strerror or str(err)).lower()
