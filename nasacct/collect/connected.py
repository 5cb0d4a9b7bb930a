"""Connected: who has connections to one server, and what each has moved.

All are listed when the server has accepted one since the last list; else only the known ones are asked, and nobody
while its link stands still. A list walks the kernel's whole table, so the caller says whether there is time for it.

One that has come and gone without being listed is known by its end alone: its bytes are added to what such connections
of this client have moved since the run first saw the server. So thousands of them are one subject, not thousands.

Where one may have come and gone unheard of, that is a *doubt*: a subject of no client, which was not there when all was
heard, and ends without a last reading. So it is 0 as far as anybody knows, and at most what the link carries meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from nasacct.collect.connections import Connection, Connections
    from nasacct.collect.machine import Moved, Server
    from nasacct.store.frame import Instant, Subject

#: How long the last word of a connection that has gone is awaited at least: it comes from a work queue of the kernel.
AWAITED_NS = 500_000_000


@dataclass(slots=True, eq=False)
class Live:
    """A connection that was listed; `gone_ns`: since when its end is awaited (CLOCK_BOOTTIME), None where it lives."""

    connection: Connection
    subject: Subject
    gone_ns: int | None = None

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

    `admit` makes a subject of a client's address (None: of nobody's), of which of its connections (None: those that
    were never listed), and of since when (CLOCK_BOOTTIME, ns) it was not there, if that is known better than by the
    source's last listing. What has ended is heard from `at` on. A `new` server was not there before `absent_boot_ns`,
    if that is known. Of another one ends may be of connections that the run before counted, until it is `settled`.
    """

    def __init__(
        self,
        server: Server,
        connections: Connections,
        admit: Callable[[Server, str | None, str | None, int | None], Subject],
        at: Instant,
        *,
        new: bool,
        absent_boot_ns: int | None = None,
    ) -> None:
        self.server, self.connections, self.settled = server, connections, new
        self._admit, self._new, self._absent_boot_ns = admit, new, absent_boot_ns
        self.live: dict[int, Live] = {}
        self.unlisted: dict[str, Unlisted] = {}
        #: When all connections were known.
        self.listed_at: Instant | None = None
        #: Why it cannot be asked, and whether ends were lost since that was told.
        self.trouble = ""
        self.lost = False
        # up to when all ends were heard, and whether that cannot go on
        self._heard_ns, self._deaf = at.boot_ns, False
        # of a new server, how many connections ended that were never listed
        self._unheard_of = 0
        self._doubts: list[Subject] = []
        # those that have ended without a word
        self._gone: set[int] = set()
        # when all were listed the server had accepted so many, and its link had moved so much
        self._opens: int | None = None
        self._listed: Moved | None = None
        # and so much when it was last looked at
        self._looked: Moved | None = None
        self._given_up: list[Subject] = []
        # who came and went since the last run, until ends count; where there was none, since this one
        self._before: list[Subject] = []
        if not new:
            self._before.append(admit(server, None, None, None))
            if self._before[0].after is None:
                self._before.append(admit(server, None, None, at.boot_ns))

    def look(self, at: Instant, link: Moved | None, *, may_list: bool) -> bool:
        """Look at it as far as it is needed, of what its `link` has moved; whether all was listed. Raises OSError."""
        sure = self.listed_at is not None and not self.trouble
        doubtful = link is None or link != self._listed
        if doubtful if sure else may_list:
            # before the list: who comes meanwhile is looked for again
            opens = self.connections.opens()
            sure &= opens == self._opens
            if not sure and may_list:
                first = self.listed_at is None
                self.list_all(at)
                if first and self._new:
                    self._explain(opens)
                self._opens, self._listed, self._looked = opens, link, link
                return True
        if sure:
            # nobody can have come
            self.listed_at, self._listed = at, link
        if link is None or link != self._looked:
            self._again(at)
            self._looked = link
        return False

    def list_all(self, at: Instant) -> None:
        """List all connections. Raises OSError."""
        found = {connection.cookie: connection for connection in self.connections.all()}
        for cookie, connection in found.items():
            live = self.live.get(cookie)
            if live is not None:
                live.connection, live.gone_ns = connection, None
            elif cookie not in self._gone:
                self.live[cookie] = Live(connection, self._subject(connection.client, str(connection.cookie)))
        for cookie in self.live.keys() - found.keys():
            self._missed(cookie, at)
        self.listed_at = at

    def tells(self, ready: Collection[int]) -> bool:
        """Whether `drain` has something to do, where these descriptors are readable."""
        return not self.settled or self._deaf or self.connections.told or self.connections.fileno() in ready

    def drain(self, at: Instant, heard_ns: int) -> list[Live]:
        """The listed connections that have ended by now; the others are added to what was never listed.

        At `heard_ns` (CLOCK_BOOTTIME) there was nothing that it did not tell.
        """
        ended: list[Live] = []
        if not self._deaf:
            self._heard_ns = max(self._heard_ns, heard_ns)
        try:
            found, lost = self.connections.ended()
        except OSError as err:
            self.trouble, self._deaf = str(err), True
            return ended
        for connection in found:
            live = self.live.pop(connection.cookie, None)
            if live is not None:
                live.connection = connection
                ended.append(live)
            elif connection.cookie in self._gone:
                self._gone.remove(connection.cookie)
            elif self.settled:
                self._add(connection)
        if lost or self._deaf:
            self.lost, self._deaf = True, False
            self._doubt(self._heard_ns)
        self._heard_ns = at.boot_ns
        if not self.settled and self.listed_at is not None:
            self.settled = True
            self._doubts += self._before
            self._before = []
        return ended

    def end(self, at: Instant, heard_ns: int) -> tuple[list[Live | Unlisted], list[Subject]]:
        """Its last readings when it ends, and those whose last bytes nobody knows. The namespace is let go."""
        ended: list[Live | Unlisted] = [*self.drain(at, heard_ns)]
        try:
            self.list_all(at)
        except OSError:
            # what was read of them before stands; who came since is not known
            lost = list(self.live.values())
            self._doubt(self._absent())
        else:
            # those that went in between
            ended += self.drain(at, heard_ns)
            lost = [live for live in self.live.values() if live.gone_ns is not None]
        if self._deaf:
            self._doubt(self._heard_ns)
        self._doubts += self._before
        self.close()
        ended += [live for live in self.live.values() if live not in lost]
        return [*ended, *self.unlisted.values()], [*(live.subject for live in lost), *self.doubts()]

    def vanish(self) -> list[Subject]:
        """What is doubted of a server that has gone without a word. The namespace is let go."""
        self._doubt(self._absent())
        self._doubts += self._before
        self.close()
        return self.doubts()

    def doubts(self) -> list[Subject]:
        """What is to be told as ended without a last reading, each once."""
        doubts, self._doubts = self._doubts, []
        return doubts

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

    def _again(self, at: Instant) -> None:
        """Ask for those that are known. Raises OSError."""
        for cookie, live in list(self.live.items()):
            now = self.connections.again(live.connection)
            if now is None:
                self._missed(cookie, at)
            else:
                live.connection, live.gone_ns = now, None

    def _missed(self, cookie: int, at: Instant) -> None:
        """Await the end of a connection that is gone, after some time no more."""
        live = self.live[cookie]
        if live.gone_ns is None:
            live.gone_ns = at.boot_ns
        elif at.boot_ns - live.gone_ns >= AWAITED_NS:
            self._given_up.append(self.live.pop(cookie).subject)
            self._gone.add(cookie)

    def _explain(self, opens: int) -> None:
        """Doubt what was before the first list of a new server, unless that has all that were accepted so far."""
        known = len(self.live) + self._unheard_of
        if opens and (known < opens or self.connections.opens() != opens):
            self._doubt(self._absent_boot_ns)

    def _doubt(self, absent_boot_ns: int | None) -> None:
        self._doubts.append(self._admit(self.server, None, None, absent_boot_ns))

    def _add(self, connection: Connection) -> None:
        self._unheard_of += 1
        address = connection.client
        unlisted = self.unlisted.get(address)
        if unlisted is None:
            unlisted = self.unlisted[address] = Unlisted(self._subject(address, None))
        received, sent = unlisted.moved
        unlisted.moved = received + connection.received, sent + connection.sent

    def _subject(self, address: str, which: str | None) -> Subject:
        """A client's connection, or its unlisted ones, which were not there when all were listed last."""
        return self._admit(self.server, address, which, self._absent())

    def _absent(self) -> int | None:
        """When nobody was there of whom no list tells."""
        return self._absent_boot_ns if self.listed_at is None else self.listed_at.boot_ns
