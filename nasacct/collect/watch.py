"""The watch beside the clock: tells at once that a server or a link came or ended.

It waits on inotify (the state directory of osctl-exportfs, the folder of named namespaces), on a pidfd of every
server's process, on link messages, and on the mount table: a name in /run/netns becomes a namespace when the kernel
mounts one on it, which inotify does not tell.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nasacct.collect import namespaces, process
from nasacct.collect.events import Event, LinkBorn, LinkEnded, ServerEnded, ServersChanged
from nasacct.collect.folders import Folders
from nasacct.collect.link_events import LinkEvents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nasacct.collect.machine import Server

__all__ = ["Event", "LinkBorn", "LinkEnded", "ServerEnded", "ServersChanged", "Watch"]

log = logging.getLogger(__name__)

#: How long the network namespace of a server that has ended is kept alive, in seconds.
HOLD_S = 0.9
#: The files of a server in the state directory whose change matters.
_FILES = ("config.yml", "pid")


#: A namespace's inode number and the time at which the kernel made the inode (0: it says nothing).
_Stamp = tuple[int, int]


@dataclass(slots=True, eq=False)
class _Followed:
    """A server whose end is awaited: by a pidfd, or by what is at its namespace's path.

    `namespace` is open on its network namespace, so that this outlives its last process for a moment: its counters can
    then be read a last time, and both ends of its link tell theirs when the host deletes it.
    """

    server: Server
    pidfd: int | None = None
    stamp: _Stamp | None = None
    namespace: int | None = None
    in_folder: bool = False


class Watch:
    """Everything that must be noticed between two cycles, behind one descriptor.

    `exportfs` is the state directory of osctl-exportfs, `folder` that of named namespaces; None: not watched.
    """

    def __init__(self, exportfs: Path | str | None, folder: Path | str | None = namespaces.FOLDER) -> None:
        nested = [str(Path(exportfs, "servers"))] if exportfs is not None else []
        self._folder = str(folder) if folder is not None else None
        self._folders = Folders([*nested, self._folder] if self._folder else nested, nested, _FILES)
        self._links = LinkEvents()
        # each tells of any change of the mount table by being ready; it says so once, to whoever polls it first. So
        # one wakes who waits, which may be somebody polling this epoll, and the other is looked at by `poll` alone
        self._mounts = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._mounts_seen = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._followed: dict[str, _Followed] = {}
        self._by_pidfd: dict[int, _Followed] = {}
        self._ended: list[Server] = []
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._named = self._names()
        self._epoll = select.epoll()
        self._epoll.register(self._folders.fileno(), select.EPOLLIN)
        self._epoll.register(self._links.fileno(), select.EPOLLIN)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._epoll.register(self._mounts, select.EPOLLPRI | select.EPOLLERR)

    def fileno(self) -> int:
        """Readable when `poll` has something to give; may be so without."""
        return self._epoll.fileno()

    def poll(self, timeout_s: float | None = 0) -> list[Event]:
        """What happened since the last call, in the order in which it is to be handled: ends of servers first.

        Waits so long for the first event, None: until there is one. May come back with none.
        """
        ready = {fd for fd, _ in self._epoll.poll(-1 if timeout_s is None else timeout_s)}
        changed: set[str] | None = set()
        links: list[Event] = []
        for fd in ready:
            if fd in self._by_pidfd:
                self._end(self._by_pidfd[fd])
        if self._folders.fileno() in ready:
            changed = self._folders.changes()
        if self._links.fileno() in ready:
            links = self._links.read()
        moved: set[str] = set()
        # a thousand names are looked at only when there is something to see
        looked = self._remounted() or changed is None or bool(changed)
        if looked:
            named = self._names()
            moved = {path for path in named.keys() | self._named.keys() if named.get(path) != self._named.get(path)}
            self._named = named
        for followed in [f for f in self._followed.values() if f.pidfd is None and (looked or not f.in_folder)]:
            if self._stamp(followed.server, self._named) != followed.stamp:
                self._end(followed)
        if self._wake in ready:
            os.eventfd_read(self._wake)
        events: list[Event] = [ServerEnded(server) for server in self._ended]
        self._ended.clear()
        events += [event for event in links if not isinstance(event, ServersChanged)]
        if changed is None or any(isinstance(event, ServersChanged) for event in links):
            events.append(ServersChanged())
        elif changed | moved:
            events.append(ServersChanged(tuple(sorted(changed | moved))))
        return events

    def servers(self, servers: Iterable[Server]) -> None:
        """Wait for the end of these servers too. Each one's end is told once, also when it is no longer listed."""
        listed = set()
        # not kept: what changed in it since the last poll is still to be told
        named = self._names()
        for server in servers:
            listed.add(server.epoch)
            if server.epoch not in self._followed:
                self._follow(server, named)
        for followed in [f for e, f in self._followed.items() if f.pidfd is None and e not in listed]:
            if not _lives(followed.server):
                self._end(followed)
        if self._ended:
            os.eventfd_write(self._wake, 1)
        self._folders.arm()

    def close(self) -> None:
        """Close everything."""
        for pidfd in self._by_pidfd:
            os.close(pidfd)
        for followed in self._followed.values():
            if followed.namespace is not None:
                os.close(followed.namespace)
        self._by_pidfd.clear()
        self._followed.clear()
        self._epoll.close()
        os.close(self._mounts)
        os.close(self._mounts_seen)
        os.close(self._wake)
        self._folders.close()
        self._links.close()

    def _follow(self, server: Server, named: dict[str, _Stamp]) -> None:
        followed = self._followed[server.epoch] = _Followed(server)
        if server.pid is None:
            followed.stamp = self._stamp(server, named)
            followed.in_folder = self._in_folder(server)
            if followed.stamp is None or followed.stamp[0] != server.about.get("netns"):
                self._end(followed)
            return
        try:
            pidfd = os.pidfd_open(server.pid)
        except ProcessLookupError:
            self._end(followed)
            return
        except OSError as err:
            log.warning("the end of server %s will be noticed late (%s)", server.name, err.strerror)
            del self._followed[server.epoch]
            return
        with contextlib.suppress(OSError):
            followed.namespace = os.open(f"/proc/{server.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        followed.pidfd = pidfd
        self._by_pidfd[pidfd] = followed
        self._epoll.register(pidfd, select.EPOLLIN)
        # looked at after the opening: a pid that was used again before it is noticed
        if not server.epoch.endswith(f"/{server.pid}.{process.started('/proc', server.pid)}"):
            self._end(followed)

    def _end(self, followed: _Followed) -> None:
        if followed.pidfd is not None:
            self._epoll.unregister(followed.pidfd)
            del self._by_pidfd[followed.pidfd]
            os.close(followed.pidfd)
        if followed.namespace is not None:
            # by a thread of its own: the namespace must go in time even if a cycle hangs
            timer = threading.Timer(HOLD_S, os.close, (followed.namespace,))
            timer.daemon = True
            timer.start()
        del self._followed[followed.server.epoch]
        self._ended.append(followed.server)

    def _stamp(self, server: Server, named: dict[str, _Stamp]) -> _Stamp | None:
        """What is where the server's namespace should be; None for nothing."""
        path = server.namespace or ""
        if self._in_folder(server):
            return named.get(path)
        try:
            return Path(path).stat().st_ino, 0
        except OSError:
            return None

    def _in_folder(self, server: Server) -> bool:
        return (server.namespace or "").rpartition("/")[0] == self._folder

    def _remounted(self) -> bool:
        """Whether the mount table has changed since the last call (proc_pid_mountinfo(5))."""
        poller = select.poll()
        poller.register(self._mounts_seen, select.POLLPRI)
        return bool(poller.poll(0))

    def _names(self) -> dict[str, _Stamp]:
        """What is in the folder of named namespaces, by path."""
        found: dict[str, _Stamp] = {}
        if self._folder is not None:
            with contextlib.suppress(OSError), os.scandir(self._folder) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):
                        status = entry.stat()
                        found[entry.path] = status.st_ino, status.st_ctime_ns
        return found


def _lives(server: Server) -> bool:
    """Whether the namespace at the server's path is still the server's."""
    try:
        identity = namespaces.inside(server.namespace or "", namespaces.life)
    except OSError:
        return False
    return server.epoch.endswith(f"/{identity}")
