"""Real connections to the servers of the bench, from several addresses of the loopback of each namespace."""

from __future__ import annotations

import contextlib
import socket
from functools import partial
from typing import TYPE_CHECKING

from bench.collect.traffic import Traffic
from nasacct.collect.connections import PORT
from nasacct.collect.namespaces import FOLDER, inside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.collect.namespaces import Fleet

_HOST = "127.0.0.1"
_PAYLOAD = bytes(1000)


class Connected:
    """`each` connections to every server, each of another client; `use` and `reconnect` are given servers by place.

    A server takes two descriptors for each, so the limit must have been raised, as `Live` does.
    """

    def __init__(self, fleet: Fleet, each: int) -> None:
        self._names = fleet.names
        self._traffic = Traffic(fleet.links)
        self._ends = [inside(f"{FOLDER}/{name}", partial(_connect, range(each))) for name in fleet.names]

    def use(self, servers: Sequence[int]) -> None:
        """Every client of these servers writes and reads something; the servers' links move."""
        for server in servers:
            for client, served in self._ends[server]:
                client.sendall(_PAYLOAD)
                served.recv(len(_PAYLOAD), socket.MSG_WAITALL)
                served.sendall(_PAYLOAD)
                client.recv(len(_PAYLOAD), socket.MSG_WAITALL)
        self._traffic.send(servers)

    def reconnect(self, servers: Sequence[int]) -> None:
        """The first client of each of these servers ends its connection and makes a new one."""
        for server in servers:
            for end in self._ends[server][0]:
                end.close()
            self._ends[server][0] = inside(f"{FOLDER}/{self._names[server]}", partial(_connect, [0]))[0]
        self._traffic.send(servers)


def _connect(clients: Sequence[int]) -> list[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection of each of these clients, in the calling thread's namespace."""
    found = []
    with socket.create_server((_HOST, PORT), backlog=len(clients)) as listener, contextlib.ExitStack() as opened:
        for client in clients:
            one = opened.enter_context(socket.create_connection((_HOST, PORT), 10, (f"127.0.1.{client + 1}", 0)))
            served = opened.enter_context(listener.accept()[0])
            found.append((one, served))
        opened.pop_all()
    return found
