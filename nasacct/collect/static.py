"""Servers that the configuration names: each by a process or by a namespace it lives in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from nasacct.collect import namespaces, process
from nasacct.collect.machine import Listing, Server

if TYPE_CHECKING:
    from collections.abc import Sequence


class Entry(Protocol):
    """One configured server (`nasacct.config.tables.StaticServer`): either `pid` or `namespace` is given."""

    @property
    def name(self) -> str:
        """The server's name."""
        ...

    @property
    def pid(self) -> int | None:
        """A process in the server's network namespace, which may be the host's own."""
        ...

    @property
    def namespace(self) -> str | None:
        """The path of a namespace, or its name below /run/netns."""
        ...

    @property
    def link(self) -> str | None:
        """The host's end of the server's veth; for a server in the host's own namespace, the interface itself."""
        ...


class Static:
    """Lists those of the configured servers that live now; `proc` is where /proc is, for tests."""

    def __init__(
        self, boot_id: str, entries: Sequence[Entry], counter: str = namespaces.COUNTER, proc: str = "/proc"
    ) -> None:
        self._boot_id, self._entries, self._counter, self._proc = boot_id, entries, counter, proc

    def read(self) -> Listing:
        """The configured servers that live. Never raises; one that cannot be examined makes the listing incomplete."""
        servers: list[Server] = []
        notes: list[str] = []
        said: list[str] = []
        for entry in self._entries:
            try:
                found = self._of_pid(entry, entry.pid) if entry.pid is not None else self._of_namespace(entry, said)
            except FileNotFoundError:
                continue
            except OSError as err:
                reason = (err.strerror or str(err)).lower()
                notes.append(f"the configured server {entry.name} cannot be examined ({reason}); run as root")
                continue
            if found is not None:
                servers.append(found)
        return Listing(tuple(servers), not notes, (*notes, *said))

    def _of_pid(self, entry: Entry, pid: int) -> Server | None:
        started = process.started(self._proc, pid)
        if started is None:
            return None
        inode = process.namespace(self._proc, pid)
        about: dict[str, str | int | None] = {
            "found": "static",
            "netns": inode,
            "born_ns": process.born_ns(started),
            "born_boot_ns": process.born_boot_ns(started),
        }
        if inode is not None and inode == process.namespace(self._proc, "self"):
            about["in_host"] = 1
        return Server(
            entry.name,
            f"{self._boot_id}/{pid}.{started}",
            pid=pid,
            link=entry.link,
            namespace=f"{self._proc}/{pid}/ns/net",
            about=about,
        )

    def _of_namespace(self, entry: Entry, said: list[str]) -> Server | None:
        assert entry.namespace is not None
        path = entry.namespace if "/" in entry.namespace else f"{namespaces.FOLDER}/{entry.namespace}"
        stamp = namespaces.mounted(path)
        if stamp is None:
            said.append(
                f"the configured server {entry.name} is not listed: at {path} is no network namespace but the host's; "
                "for the host's own server configure pid = 1"
            )
            return None
        with namespaces.host() as fd:
            found = namespaces.look(path, self._counter, fd)
        return namespaces.server(self._boot_id, entry.name, path, stamp[0], found, "static", entry.link)
