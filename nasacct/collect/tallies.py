"""What a histogram of the kernel counts of each server, from its birth on.

The histogram knows namespaces by their inode, which the kernel gives to the next one as soon as one is gone. So what
stood under an inode when its server ended is taken off what stands there later. When a generation fills
(`generations.py`), or has had no room for something, a new one is begun, and with it every server at zero. The old one
counts on until the new one does; what is called between the readings of both, thousandths of a second, is in neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nasacct.collect.generations import Generations
from nasacct.collect.tracing import entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nasacct.collect.machine import Server
    from nasacct.collect.tracing import Counting, Section
    from nasacct.store.frame import Instant

#: How long a generation is kept at least, unless something did not fit in.
KEPT_NS = 300 * 10**9
#: In so many readings an inode that nobody has may have counted before it is somebody's that is not known.
_UNCLAIMED = 2

#: By key: how often it was hit, and the sum of its microseconds.
Counts = dict[bytes, tuple[int, int]]


@dataclass(slots=True)
class Tally:
    """A server in a generation: it counts since `since_ns` (CLOCK_BOOTTIME), less `base`, which was there before.

    Of one that is `lost`, another server's counts have become part.
    """

    server: Server
    namespace: int
    since_ns: int
    base: Counts = field(default_factory=dict)
    lost: bool = False


@dataclass(slots=True)
class _Left:
    """What stood under an inode when its server ended, and in how many readings it grew since."""

    counts: Counts
    at_ns: int
    unclaimed: int = 0


class Tallies:
    """A histogram that is read as a whole, and the servers whose namespaces it counts.

    `note` is what went wrong since it was taken last. `unknown` counts lines that were not understood.
    """

    def __init__(self, counting: Counting, name: str) -> None:
        self._generations = Generations(counting, name)
        self._began_ns = self._read_ns = self._before_ns = 0
        self._section: Section | None = None
        self._counts: dict[int, Counts] = {}
        self._before: set[int] = set()
        #: inodes whose counts have changed since they were told last
        self._moved: set[int] = set()
        self._left: dict[int, _Left] = {}
        self._tallies: dict[str, Tally] = {}
        self._owners: dict[int, str] = {}
        self.note = ""
        self.unknown = 0

    @property
    def generation(self) -> str:
        """What tells these counts from all that were or will be."""
        return self._generations.name

    @property
    def full(self) -> bool:
        """Whether it is time for a new generation."""
        if self._section is None:
            return False
        crowded = self._generations.crowded(self._section)
        return self.dropped or (crowded and self._read_ns - self._began_ns >= KEPT_NS)

    @property
    def dropped(self) -> bool:
        """Whether there was no room for some calls, of nobody knows which server."""
        return self._section is not None and self._section.dropped > 0

    def read(self, at: Instant, servers: Iterable[Server]) -> dict[str, Tally]:
        """Read all, and follow these servers; by epoch, those that are new or of which something has changed.

        Raises OSError.
        """
        wanted = {server.epoch: server for server in servers}
        if not self._generations.begun:
            self._begin(at, len(wanted))
        changed = self._read(at)
        fresh = [epoch for epoch, server in wanted.items() if epoch not in self._tallies and self._follow(server)]
        for namespace in [n for n in self._left if n in self._owners or self._unclaimed(n, changed)]:
            del self._left[namespace]
        moved = {self._owners[namespace] for namespace in self._moved if namespace in self._owners}
        self._moved.clear()
        return {epoch: self._tallies[epoch] for epoch in (*fresh, *moved.difference(fresh))}

    def meet(self, at: Instant, server: Server) -> Tally | None:
        """Read all, and follow one server that is ending; its tally if its namespace is known. Raises OSError."""
        if not self._generations.begun:
            return None
        self._read(at)
        if server.epoch not in self._tallies:
            self._follow(server)
        return self._tallies.get(server.epoch)

    def tally(self, epoch: str) -> Tally | None:
        """That of a server; None where its namespace is not known."""
        return self._tallies.get(epoch)

    def of(self, tally: Tally) -> Counts:
        """What is counted of a server since its tally began, as it was read last."""
        counts = self._counts.get(tally.namespace, {})
        if not tally.base:
            return counts
        base = {key: tally.base.get(key, (0, 0)) for key in counts}
        return {key: (hits - base[key][0], us - base[key][1]) for key, (hits, us) in counts.items()}

    def end(self, epoch: str, at: Instant) -> Counts | None:
        """The last counts of a server that has ended; None when they are not known. Raises OSError."""
        tally = self.forget(epoch)
        if tally is None or tally.lost or not self._generations.begun:
            return None
        self._read(at)
        self._left[tally.namespace] = _Left(dict(self._counts.get(tally.namespace, {})), at.boot_ns)
        return self.of(tally)

    def forget(self, epoch: str) -> Tally | None:
        """Let a server go, also one of whose end nobody told: then its counts are not known to have ended."""
        tally = self._tallies.pop(epoch, None)
        if tally is not None and self._owners.get(tally.namespace) == epoch:
            del self._owners[tally.namespace]
        return tally

    def renew(self, at: Instant) -> dict[str, Counts]:
        """Begin a new generation; the last counts of all servers in the old one, as far as they are known.

        Raises OSError.
        """
        old = self.generation
        self._begin(at, len(self._tallies))
        found = self._generations.all()
        last: dict[str, Counts] = {}
        if old in found:
            self._take(found[old])
            dropped = found[old].dropped
            if dropped:
                self.note = f"there was no room for {dropped} calls in the kernel: what was called meanwhile is unknown"
            else:
                last = {epoch: self.of(tally) for epoch, tally in self._tallies.items() if not tally.lost}
            self._generations.remove(old)
        self._counts, self._section = {}, None
        self._take(self._newest(found))
        self._left.clear()
        for tally in self._tallies.values():
            tally.base = dict(self._counts.get(tally.namespace, {}))
            tally.since_ns, tally.lost = at.boot_ns, False
        return last

    def close(self) -> None:
        """Count no more, and leave nothing behind."""
        self._generations.close()
        self._forget_all()

    def _forget_all(self) -> None:
        self._section = None
        for known in (self._counts, self._before, self._moved, self._left, self._tallies, self._owners):
            known.clear()

    def _begin(self, at: Instant, servers: int) -> None:
        self._generations.begin(servers)
        self._began_ns = self._read_ns = at.boot_ns

    def _read(self, at: Instant) -> set[int]:
        """Read the histogram; the inodes under which something has changed."""
        section = self._newest(self._generations.all())
        self._before, self._before_ns = set(self._counts), self._read_ns
        self._read_ns = at.boot_ns
        return self._take(section)

    def _newest(self, found: Mapping[str, Section]) -> Section:
        try:
            return self._generations.newest(found)
        except FileNotFoundError:
            self._forget_all()
            raise

    def _take(self, section: Section) -> set[int]:
        """Understand the lines that differ from those of the last reading."""
        changed: set[int] = set()
        for line in section.lines - (self._section.lines if self._section else frozenset()):
            found = entry(line)
            if found is None:
                self.unknown += 1
                continue
            changed.add(found.namespace)
            self._counts.setdefault(found.namespace, {})[found.key] = found.hits, found.us
        self._section = section
        # also when it is read for the end of one server only
        self._moved |= changed
        return changed

    def _follow(self, server: Server) -> bool:
        """Begin a tally of the server, if it is known what to take off."""
        namespace = server.about.get("netns")
        if not isinstance(namespace, int):
            return False
        tally = Tally(server, namespace, max(self._began_ns, self._before_ns))
        owner, left = self._owners.get(namespace), self._left.get(namespace)
        if left is not None:
            tally.base, tally.since_ns = left.counts, left.at_ns
        elif owner is not None or namespace in self._before:
            # nobody saw the other one end: what is there may be of either
            tally.base, tally.since_ns = dict(self._counts.get(namespace, {})), self._read_ns
            self.note = f"{server.name} has the namespace of another server whose end was not seen: it begins now"
            if owner is not None:
                self._tallies[owner].lost = True
        self._tallies[server.epoch] = tally
        self._owners[namespace] = server.epoch
        return True

    def _unclaimed(self, namespace: int, changed: set[int]) -> bool:
        """Whether an inode that a server has left counts for somebody who is not known."""
        left = self._left[namespace]
        left.unclaimed += namespace in changed
        return left.unclaimed > _UNCLAIMED
