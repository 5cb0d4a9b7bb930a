"""One cycle as one function: every source reads, and what changed becomes a frame.

The sampler alone knows which epochs were seen before: it gives subjects their `sid`, decides from each source's last
complete listing whether an epoch can have begun since (`Subject.after`), and tells who has ended.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from nasacct.collect.budget import Budget
from nasacct.collect.lane import Lane
from nasacct.collect.lines import ParseError
from nasacct.collect.lives import Lives, Since
from nasacct.collect.source import Dispensable, OneByOne, Paced, Unhurried
from nasacct.store.frame import Batch, Frame, Instant, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nasacct.collect.machine import Listing, Machine
    from nasacct.collect.source import Source
    from nasacct.store.standing import Standing

log = logging.getLogger(__name__)

#: An epoch that began this long before a listing in which it was absent was overlooked then, not born later. A cycle's
#: listing may be more than a minute old (`machine.OLD_NS`).
OVERLOOKED_NS = 90_000_000_000
#: Threads that may hang, each on one server, before their source is given up until one comes back.
MAX_STUCK = 8
#: A source that is read at a pace of its own is read so much before its time rather than a cycle after it.
EARLY_NS = 500_000_000


@dataclass(slots=True)
class _Runner:
    """A source, its lane, and what became of it: `due_ns` it is read next (CLOCK_BOOTTIME), `off` says why no more."""

    source: Source
    lane: Lane
    budget: Budget | None = None
    due_ns: int = 0
    off: str = ""
    late: int = 0
    stuck: dict[str, Lane] = field(default_factory=dict)
    live: dict[int, Subject] = field(default_factory=dict)


class Sampler:
    """Turns the machine into frames.

    `standing` is what stood when the last run ended (empty on a new store); of it only the texts of subjects' `about`
    are changed here. `build` makes the sources, given the function by which they have new subjects admitted.
    `deadline_s` is how long one source may keep a cycle waiting, `share` how much of a processor one may take that the
    others can do without.
    """

    def __init__(
        self,
        machine: Machine,
        standing: Standing,
        build: Callable[[Callable[[Subject], int]], Iterable[Source]],
        *,
        deadline_s: float = 2.0,
        share: float = 1.0,
    ) -> None:
        self.machine, self.deadline_s = machine, deadline_s
        self._lock = threading.Lock()
        self._listings = dict(standing.listings)
        here = standing.boot_id == machine.boot_id
        self._listed_here = {name for name, at in standing.listings.items() if here and at.boot_ns >= 0}
        self._carried = {s.identity: s for s in standing.live.values()}
        self._lives = Lives(standing)
        self._next_sid = max(standing.live, default=0) + 1
        self._births: list[Subject] = []
        self._seq = 0
        self._runners = [
            _Runner(s, Lane(s.name), Budget(share) if isinstance(s, Dispensable) else None) for s in build(self.admit)
        ]
        for runner in self._runners:
            runner.live = {s.sid: s for s in standing.live.values() if s.source == runner.source.name}

    @property
    def sources(self) -> list[Source]:
        """The sources in the order in which they are started."""
        return [r.source for r in self._runners]

    def admit(self, subject: Subject) -> int:
        """Give the subject its sid; one that stood before keeps its own, and is no birth.

        Called by sources, on any thread, once for each new subject and before rows name it.
        """
        with self._lock:
            carried = self._carried.pop(subject.identity, None)
            if carried is not None:
                subject.sid, subject.after, subject.since_boot = carried.sid, carried.after, carried.since_boot
                # texts for people may be others now: the next head of a journal file has them
                texts = {name: text for name, text in subject.about.items() if isinstance(text, str)}
                # one for both: what its source learns of it later, the next head has too
                subject.about = carried.about = {**carried.about, **texts}
                self._runner(subject.source).live[subject.sid] = subject
                return subject.sid
            subject.sid = self._next_sid
            self._next_sid += 1
            subject.after, subject.since_boot = self._absent_since(subject)
            self._births.append(subject)
            return subject.sid

    def _absent_since(self, subject: Subject) -> Since:
        """Its `after` and `since_boot`."""
        again = self._lives.again(subject)
        if again is not None:
            # the same counters under other keys, or back after an absence: what was counted is not counted again
            return again
        absent = subject.about.get("absent_boot_ns")
        if isinstance(absent, int):
            # its source knows better when it was not there
            now = self.machine.now()
            since: Since = now.wall_ns - now.boot_ns + absent, absent
        else:
            since = self._since_listed(subject)
        self._lives.begin(subject, since)
        return since

    def _since_listed(self, subject: Subject) -> Since:
        """The same of one that was not met before, by its source's last listing and its birth."""
        after, born, booted = self._today(subject)
        if after is not None and born is not None:
            # of this boot, and so younger than any listing of an earlier one, whatever the wall clock says
            young = subject.source not in self._listed_here and self.machine.boot_id in subject.epoch
            if born < after - OVERLOOKED_NS and not young:
                log.warning(
                    "%s %s lived before it was first listed: its first reading is a baseline",
                    subject.source,
                    subject.epoch,
                )
                after = None
            else:
                after = min(after, born)
        since_boot = None if after is None else (after if born is None else born) - booted
        return after, since_boot

    def _today(self, subject: Subject) -> tuple[int | None, int | None, int]:
        """When its source was last listed completely, when it was born, and the boot, as today's wall clock has it.

        The clock may have been stepped since; a time of this boot is known by CLOCK_BOOTTIME too.
        """
        now = self.machine.now()
        booted = now.wall_ns - now.boot_ns
        listing = self._listings.get(subject.source)
        after = listing.wall_ns if listing else None
        if listing is not None and subject.source in self._listed_here:
            after = booted + listing.boot_ns
        if after is not None:
            within = subject.about.get("listed_within_ns")
            source = self._runner(subject.source).source
            after -= within if isinstance(within, int) else getattr(source, "listed_within_ns", 0)
        born, since_boot = subject.about.get("born_ns"), subject.about.get("born_boot_ns")
        if isinstance(since_boot, int):
            born = booted + since_boot
        return after, born if isinstance(born, int) else None, booted

    def cycle(self, listing: Listing) -> Frame:
        """Read every source once. Takes at most twice the deadline, however many of them hang."""
        at = self.machine.now()
        until = time.monotonic() + self.deadline_s
        batches = []
        for runner in self._runners:
            if runner.off:
                batches += self._parting(runner, at)
            elif runner.lane.idle and at.boot_ns >= runner.due_ns:
                self._start(runner, listing, at)
        for runner in self._runners:
            if runner.lane.idle or (isinstance(runner.source, Unhurried) and not runner.lane.done):
                continue
            batch = self._wait(runner, until)
            if batch is None and self._go_round(runner, listing, at):
                batch = self._wait(runner, until + self.deadline_s)
            if batch is None:
                runner.late += 1
            if batch is not None:
                batches.append(batch)
        return self._frame(at, batches)

    def _start(self, runner: _Runner, listing: Listing, at: Instant) -> None:
        if isinstance(runner.source, Paced):
            # a cycle that comes a moment early is the one that is meant
            runner.due_ns = at.boot_ns + int(runner.source.pace_s * 1e9) - EARLY_NS
        read = partial(runner.source.read, self.machine, listing)
        if isinstance(runner.source, OneByOne):
            runner.stuck = {epoch: lane for epoch, lane in runner.stuck.items() if not lane.done}
            read = partial(runner.source.read, self.machine, listing, set(runner.stuck))
        runner.lane.start(read)

    def _go_round(self, runner: _Runner, listing: Listing, at: Instant) -> bool:
        """Leave the server that hangs to its thread, and read the others on a new one; whether that can be done."""
        hung = runner.source.reading if isinstance(runner.source, OneByOne) else None
        if hung is None or hung.epoch in runner.stuck or len(runner.stuck) >= MAX_STUCK:
            return False
        log.warning("source %s hangs on server %s; the others are read without it", runner.source.name, hung.name)
        runner.lane.end()
        runner.stuck[hung.epoch] = runner.lane
        runner.lane = Lane(runner.source.name)
        self._start(runner, listing, at)
        return True

    def _wait(self, runner: _Runner, until: float) -> Batch | None:
        name = runner.source.name
        try:
            batch = runner.lane.wait(until - time.monotonic())
        except (OSError, ParseError) as err:
            batch = Batch(name, self.machine.now(), list(runner.live.values()), complete=False, note=str(err))
            batch.failed = dict.fromkeys(runner.live.values(), batch.note)
        except Exception as err:
            log.exception("source %s failed", name)
            batch = Batch(name, self.machine.now(), list(runner.live.values()), complete=False, note=repr(err))
            batch.failed = dict.fromkeys(runner.live.values(), batch.note)
        if batch is None:
            if not runner.late:
                log.warning("source %s is late", name)
            return None
        batch.late, runner.late = runner.late, 0
        self._account_listing(runner, batch)
        self._spend(runner, batch)
        return batch

    def _spend(self, runner: _Runner, batch: Batch) -> None:
        """Switch a source off that takes too much."""
        if runner.budget is None or not isinstance(runner.source, Dispensable):
            return
        runner.off = runner.budget.spend(batch.at, batch.cpu_us)
        if runner.off:
            log.error("source %s is %s", runner.source.name, runner.off)
            runner.source.close()

    def _parting(self, runner: _Runner, at: Instant) -> list[Batch]:
        """Once, that all subjects of a source that is off are gone."""
        if not runner.live:
            return []
        batch = Batch(runner.source.name, at, [], note=runner.off)
        self._account_listing(runner, batch)
        return [batch]

    def _account_listing(self, runner: _Runner, batch: Batch) -> None:
        """Who ended since the last listing, and who is alive though this listing could not show them."""
        if batch.listed is None:
            return
        listed = {s.sid: s for s in batch.listed}
        if batch.complete:
            batch.ended += [s for sid, s in runner.live.items() if sid not in listed]
            runner.live = listed
            with self._lock:
                self._listings[runner.source.name] = batch.at
                self._listed_here.add(runner.source.name)
                self._carried = {k: s for k, s in self._carried.items() if s.source != runner.source.name}
        else:
            for sid, subject in runner.live.items():
                if sid not in listed:
                    batch.failed[subject] = "not listed"
            runner.live.update(listed)

    def finals(self, batches: Iterable[Batch | None], *, for_good: bool = False) -> Frame | None:
        """A frame of last readings taken between two cycles; None when there are none.

        `for_good`: the epochs of those that have ended cannot come back.
        """
        found = [b for b in batches if b is not None]
        for batch in found:
            runner = self._runner(batch.source)
            for subject in batch.ended:
                runner.live.pop(subject.sid, None)
        return self._frame(self.machine.now(), found, for_good=for_good) if found else None

    def end(self) -> None:
        """Let the lanes' threads go."""
        for runner in self._runners:
            runner.lane.end()

    def _runner(self, name: str) -> _Runner:
        return next(r for r in self._runners if r.source.name == name)

    def _frame(self, at: Instant, batches: list[Batch], *, for_good: bool = False) -> Frame:
        with self._lock:
            for batch in batches:
                for rows in batch.rows.values():
                    self._lives.counted(rows.sids)
                self._lives.ended(batch.ended, for_good=for_good)
            births, self._births = self._births, []
        self._seq += 1
        return Frame(self._seq, at, batches, births)
