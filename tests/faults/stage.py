"""Where a schedule plays: the machine, the collector that reads it cycle by cycle, and what is left on the disk."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from faults.files import epochs_in
from faults.run import INTERVAL_S, Run
from faults.schedule import SERVERS
from faults.truth import LINKS, NFSD, SECOND, Host

from nasacct.collect.sampler import OVERLOOKED_NS
from nasacct.store import journal
from nasacct.store.schema import STREAMS
from nasacct.store.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path

    from faults.disk import Disk
    from faults.schedule import Schedule
    from faults.truth import Life

    from nasacct.collect.machine import Listing

#: How fast the kernel's counters of bytes may grow, by the schema.
PER_S = STREAMS["nfsd"].measures[0].per_s


class Stage:
    """The machine, its collector, and what is left of both on the disk.

    `traced` are the epochs of which a journal holds anything, by file. `polled` are the values that were read in
    cycles, by server and measure, as a poller without epochs has them. `faults` counts what happened.
    """

    def __init__(self, schedule: Schedule, root: Path, disk: Disk) -> None:
        self.schedule, self.root, self.disk = schedule, root, disk
        self.host = Host(host_wide=schedule.host_wide)
        self.tree = Tree(root, self.host.node)
        self.tree.journal.mkdir(parents=True)
        (root / "store.json").write_text('{"nasacct_store": 1}\n')
        self.minutes = schedule.minutes
        self.faults: Counter[str] = Counter()
        self.traced: dict[str, set[str]] = {}
        self._sizes: dict[str, int] = {}
        self.polled: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self.host_from: dict[str, int] = {}
        self.host_late: dict[str, bool] = {}
        self.stepped = False
        self.runs = 0
        self.run: Run | None = None
        self.slots: list[Life | None] = [None] * SERVERS

    def begin(self) -> None:
        """The machine as it is found, and the first two cycles."""
        schedule = self.schedule
        if schedule.host_wide:
            # of a young boot the first reading counts, so it is no more than a link can have carried in that time
            young = schedule.seconds * SECOND <= OVERLOOKED_NS
            self.host.counted = min(schedule.history, PER_S * schedule.seconds) if young else schedule.history
        self.host.pass_time(schedule.seconds * SECOND + 1, 0)
        for slot in range(schedule.servers):
            self.slots[slot] = self.host.start(f"srv{slot}", value=0 if schedule.host_wide else schedule.history + slot)
        self.start()
        for life in self.host.lives:
            life.counted_from = self.host.real
        self.read(1, 0)

    # time, cycles and the collector

    def start(self) -> None:
        """The collector starts and reads at once."""
        self.host.watch.queue.clear()
        self.host.watch.followed.clear()
        self.runs += 1
        self.run = Run(
            self.host,
            self.disk,
            self.tree.journal,
            f"{self.runs:08x}" + "0" * 24,
            minutes=self.minutes,
            saw=self.saw,
        )
        self.tick()

    def tick(self) -> None:
        """One cycle; who is read in it is remembered for those who poll."""
        assert self.run is not None
        self.run.tick()
        now = self.host.real
        for life in self.host.alive():
            if life.shown and life.server.name not in self.host.hidden and life.server.epoch not in self.host.broken:
                for measure in LINKS if self.host.host_wide else NFSD + LINKS:
                    value = life.flows[measure].at(now)
                    self.polled.setdefault((life.server.name, measure), []).append((now, value))

    def saw(self, listing: Listing) -> None:
        """A kernel that counts for the whole host is known by its servers only: what was before them is history."""
        boot, now, servers = self.host.boot_id, self.host.real, listing.servers
        late = now - self.host.booted > OVERLOOKED_NS
        if not servers:
            if listing.complete_at(self.host.now()):
                self.host_late[boot] = late
        elif boot not in self.host_from:
            # born at the boot, and so after a listing of an earlier one, or at about the time of one without servers
            known = not self.host_late.get(boot, self.host.boots == 1)
            self.host_from[boot] = 0 if known else now

    def pass_time(self, seconds: float, load: int) -> None:
        # an odd number of ns: no moment of the simulation is a whole number of anything
        self.host.pass_time(int(seconds * SECOND) + 1 + load % 997, load)

    def end_run(self) -> None:
        """What the journals of the run that ended hold is all that is left of it."""
        self.run = None
        self.trace()
        if not any(self.host_epoch in epochs for epochs in self.traced.values()):
            # the first reading of it was never written down: the next run's first one is the beginning
            self.host_from.pop(self.host.boot_id, None)

    @property
    def host_epoch(self) -> str:
        """What counts the whole host in this boot."""
        return f"{self.host.boot_id}/nfsd"

    def trace(self) -> None:
        """What the files hold that are there now; what was kept of earlier ones stays known."""
        for path in journal.files(self.tree.journal):
            size = path.stat().st_size
            if self._sizes.get(path.name) != size:
                self._sizes[path.name], self.traced[path.name] = size, epochs_in(path)

    # what happens

    def read(self, cycles: int, load: int) -> None:
        for i in range(cycles):
            self.pass_time(INTERVAL_S, load + i)
            self.tick()

    def settle(self) -> None:
        """Everything that is known is on the disk: a cycle in which everybody was looked for."""
        self.disk.becomes("sound")
        self.run.heard()
        self.run.list_anew()
        self.read(1, 0)
        # what is gone from a listing is waited for once more
        self.run.list_anew()
        self.read(1, 0)
        assert self.run.writer.flush(10)
        self.trace()
