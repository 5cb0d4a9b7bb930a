"""Connected: who has connections to one server, and what each has moved.

All are listed when the server has accepted one since the last list; else only the known ones are asked, and nobody
while its link stands still. A list walks the kernel's whole table, so the caller says whether there is time for it.

One that has come and gone without being listed is known by its end alone: its bytes are added to what such connections
of this client have moved since the run first saw the server. So thousands of them are one subject, not thousands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from nasacct.collect.connections import Connection, Connections
    from nasacct.collect.machine import Server
    from nasacct.store.frame import Instant, Subject

#: What a connection, or all that were never listed, has received and sent.
Moved = tuple[int, int]


@dataclass(slots=True, eq=False)
class Live:
    """A connection that was listed; `waited`: its end was awaited a cycle long."""

    connection: Connection
    subject: Subject
    waited: bool = False

    @property
    def moved(self) -> Moved:
        """What it has received and sent."""
        return self.connection.received, self.connection.sent


@dataclass(slots=True, eq=False)
class Unlisted:
    """What connections of one client have moved that were never listed."""

    subject: Subject
    moved: Moved = (0, 0)


class Connected:
    """One server: who is connected by cookie, who came and went by address.

    `admit` is given which of a client's connections it is to make a subject of, and since when (CLOCK_BOOTTIME) it was
    not there, if that is known. Until it is `settled`, ends that are told may be of before; those of a server that was
    not there when all were listed are not.
    """

    def __init__(
        self,
        server: Server,
        connections: Connections,
        admit: Callable[[Server, str, str | None, int | None], Subject],
        *,
        settled: bool,
    ) -> None:
        self.server, self.connections, self.settled = server, connections, settled
        self._admit = admit
        self.live: dict[int, Live] = {}
        self.unlisted: dict[str, Unlisted] = {}
        #: When all connections were known.
        self.listed_at: Instant | None = None
        #: Whether ends may have been lost, and why it cannot be asked.
        self.lost = False
        self.trouble = ""
        # those that have ended without a word
        self._gone: set[int] = set()
        # when all were listed the server had accepted so many, and its link had moved so much
        self._opens: int | None = None
        self._listed: Moved | None = None
        # and so much when it was last looked at
        self._looked: Moved | None = None
        self._given_up: list[Subject] = []

    def look(self, at: Instant, link: Moved | None, *, may_list: bool) -> bool:
        """Look at it as far as it is needed, of what its `link` has moved; whether all was listed. Raises OSError."""
        sure = self.listed_at is not None and not self.trouble
        if not sure or link is None or link != self._listed:
            # before the list: who comes meanwhile is looked for again
            opens = self.connections.opens()
            sure &= opens == self._opens
            if not sure and may_list:
                self.list_all(at)
                self._opens, self._listed, self._looked = opens, link, link
                return True
        if sure:
            # nobody can have come
            self.listed_at, self._listed = at, link
        if link is None or link != self._looked:
            self._again()
            self._looked = link
        return False

    def list_all(self, at: Instant) -> None:
        """List all connections. Raises OSError."""
        found = {connection.cookie: connection for connection in self.connections.all()}
        for cookie, connection in found.items():
            live = self.live.get(cookie)
            if live is not None:
                live.connection, live.waited = connection, False
            elif cookie not in self._gone:
                self.live[cookie] = Live(connection, self._subject(connection.client, str(connection.cookie)))
        for cookie in self.live.keys() - found.keys():
            self._missed(cookie)
        self.listed_at = at

    def drain(self) -> list[Live]:
        """The listed connections that have ended; the others are added to what was never listed."""
        ended: list[Live] = []
        try:
            found, lost = self.connections.ended()
        except OSError as err:
            self.trouble = str(err)
            return ended
        self.lost |= lost
        for connection in found:
            live = self.live.pop(connection.cookie, None)
            if live is not None:
                live.connection = connection
                ended.append(live)
            elif connection.cookie in self._gone:
                self._gone.remove(connection.cookie)
            elif self.settled:
                self._add(connection)
        self.settled |= self.listed_at is not None
        return ended

    def subjects(self) -> list[Subject]:
        """All that is listed of it."""
        return [one.subject for one in self.live.values()] + [one.subject for one in self.unlisted.values()]

    def given_up(self) -> list[Subject]:
        """The connections whose ends are awaited no more, each told once."""
        given_up, self._given_up = self._given_up, []
        return given_up

    def close(self) -> None:
        """Let the namespace go."""
        self.connections.close()

    def _again(self) -> None:
        """Ask for those that are known. Raises OSError."""
        for cookie, live in list(self.live.items()):
            now = self.connections.again(live.connection)
            if now is None:
                self._missed(cookie)
            else:
                live.connection, live.waited = now, False

    def _missed(self, cookie: int) -> None:
        """Await the end of a connection that is gone, the second time no more."""
        if self.live[cookie].waited:
            self._given_up.append(self.live.pop(cookie).subject)
            self._gone.add(cookie)
        else:
            self.live[cookie].waited = True

    def _add(self, connection: Connection) -> None:
        address = connection.client
        unlisted = self.unlisted.get(address)
        if unlisted is None:
            unlisted = self.unlisted[address] = Unlisted(self._subject(address, None))
        received, sent = unlisted.moved
        unlisted.moved = received + connection.received, sent + connection.sent

    def _subject(self, address: str, which: str | None) -> Subject:
        """A client's connection, or its unlisted ones, which were not there when all were listed last."""
        return self._admit(self.server, address, which, None if self.listed_at is None else self.listed_at.boot_ns)
