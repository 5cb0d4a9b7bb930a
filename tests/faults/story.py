"""Plays a schedule: the machine lives, the collector reads it, disks and processes fail, the keeper runs."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING

from faults.run import INTERVAL_S, Run
from faults.schedule import SERVERS
from faults.truth import LINK, LINKS, NFSD, SECOND, Host

from nasacct.collect.sampler import OVERLOOKED_NS
from nasacct.store import journal
from nasacct.store.check.repair import repair
from nasacct.store.check.whole import Report, of_tree
from nasacct.store.keep import Rules, keep
from nasacct.store.schema import STREAMS
from nasacct.store.segment_file import read
from nasacct.store.segments import footer, named
from nasacct.store.shelf import shelf
from nasacct.store.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path

    from faults.disk import Disk
    from faults.schedule import Schedule
    from faults.truth import Life

    from nasacct.collect.machine import Listing

#: Times of the keeper: none of the days in a schedule is over, or all of them.
EARLY_S, LATE_S = 0.0, 4e9
#: How fast the kernel's counters of bytes may grow, by the schema.
PER_S = STREAMS["nfsd"].measures[0].per_s
#: The first file keeps its first frames, so that it is known what was counted from when.
SURELY = 2


class Story:
    """What happens, and what is left of it on the disk.

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

    def lose_cycles(self, seconds: float, load: int) -> None:
        self.pass_time(seconds, load)

    def stand_still(self, slot: int, seconds: float, load: int) -> None:
        """The collector is stopped after it has listed the servers and before it reads them; one comes meanwhile."""

        def meanwhile() -> None:
            self.slots[slot] = self.host.start(f"srv{slot}", told=False)
            self.pass_time(seconds, load)

        self.end_server(slot, "told")
        self.pass_time(INTERVAL_S, load)
        self.run.list_anew()
        self.run.collector.meanwhile = meanwhile
        self.tick()

    def suspend(self, seconds: float) -> None:
        """Nothing moves, no cycle is made, both clocks go on."""
        self.host.real += int(seconds * SECOND)
        for life in self.host.alive():
            for flow in life.flows.values():
                flow.flow(self.host.real, 0)

    def kill(self, calls: int, cut: int, seconds: float, load: int) -> None:
        """SIGKILL at one of the next calls that the writer makes; the collector comes back later."""
        self.disk.fuse, self.disk.cut = calls, cut
        self.pass_time(INTERVAL_S, load)
        self.tick()
        self.down(seconds, load)

    def down(self, seconds: float, load: int) -> None:
        self.run.kill()
        self.end_run()
        self.pass_time(seconds, load)
        self.start()

    def die_young(self, calls: int, cut: int, load: int) -> None:
        """The collector is killed while it begins its first file, and started again."""
        self.run.kill()
        self.end_run()
        self.pass_time(2, load)
        self.disk.fuse, self.disk.cut = calls, cut
        self.start()
        self.down(1, load)

    def lose_power(self, frames: int, cut: int, seconds: float, load: int) -> None:
        """The disk did not hold what it said it held: the file ends somewhere in its last frames."""
        self.run.kill()
        self.tear(frames, cut)
        self.end_run()
        self.reboot_host(seconds)
        self.come_back(load)

    def tear(self, frames: int, cut: int) -> None:
        path = journal.files(self.tree.journal)[-1]
        data = path.read_bytes()
        ends = frame_ends(data)
        keep = max(len(ends) - 1 - frames, SURELY if journal.number_of(path) == 1 else 0)
        if keep < len(ends) - 1:
            torn = ends[keep] + cut % (ends[keep + 1] - ends[keep])
            path.write_bytes(data[:torn])
            self.faults["torn tail"] += 1

    def restart_collector(self, seconds: float, load: int) -> None:
        self.run.stop()
        self.end_run()
        self.pass_time(seconds, load)
        self.start()

    def restart_server(self, slot: int, how: str, seconds: float, load: int) -> None:
        self.end_server(slot, how)
        self.pass_time(seconds, load)
        self.start_server(slot, load)

    def overtake(self, slot: int, how: str) -> None:
        """A server starts anew and counts beyond what its last life counted before it is read again."""
        old = self.slots[slot]
        self.end_server(slot, how)
        self.slots[slot] = life = self.host.start(f"srv{slot}", told=how != "unseen")
        self.pass_time(2, 3)
        if old is None:
            return
        over = {m: old.flows[m].at(self.host.real) - life.flows[m].at(self.host.real) + 7 for m in life.flows}
        seconds = max(max(over.values()) // LINK + 1, 1)
        if seconds > 20_000:
            return
        since = self.host.real
        self.pass_time(seconds, 2)
        for measure, flow in life.flows.items():
            flow._values[-1] = max(flow._values[-1], flow.at(since) + over[measure])
        self.faults["counter that restarts and overtakes"] += 1
        self.tick()

    def several_lives(self, slot: int, how: str, lives: int, load: int) -> None:
        for i in range(lives):
            self.restart_server(slot, how, 0.3, load + i)
            self.pass_time(2, load + i)

    def end_server(self, slot: int, how: str) -> None:
        life = self.slots[slot]
        if life is None:
            return
        self.host.stop(life, how)
        self.slots[slot] = None
        self.faults["server's end without a final" if how in ("mute", "unseen") else "server's end with a final"] += 1
        if how != "unseen":
            self.run.heard()

    def start_server(self, slot: int, load: int) -> None:
        """With its link before it, at times, and heard of at once or only in a listing."""
        if self.slots[slot] is not None:
            return
        life = self.slots[slot] = self.host.start(f"srv{slot}", linked=load % 5 != 0, told=load % 7 != 0)
        if load % 5 == 0:
            self.pass_time(3, load)
            if load % 2:
                self.tick()
            self.host.show(life)
        if load % 3 == 0:
            self.run.heard()

    def fail(self, slot: int, load: int) -> None:
        """One server's file cannot be read in a cycle."""
        life = self.slots[slot]
        broken = set() if life is None else {life.server.epoch}
        self.host.broken |= broken
        self.pass_time(INTERVAL_S, load)
        self.tick()
        self.host.broken -= broken

    def unlisted(self, slot: int, load: int) -> None:
        """A listing knows itself to be incomplete."""
        self.host.hidden = {f"srv{slot}"}
        self.run.list_anew()
        self.pass_time(INTERVAL_S, load)
        self.tick()
        self.host.hidden = set()

    def step_clock(self, seconds: float) -> None:
        self.host.offset += int(seconds * SECOND)
        self.stepped = True

    def reboot(self, off: float, late: float, load: int) -> None:
        self.run.kill()
        self.end_run()
        self.reboot_host(off)
        self.come_back(load, late)

    def reboot_host(self, off: float) -> None:
        self.host.boot(int((off + 20) * SECOND), up_ns=(3 if off < 60 else 4_000) * SECOND)
        self.slots = [None] * SERVERS
        self.faults["reboot of the host"] += 1

    def come_back(self, load: int, late: float = 0.0) -> None:
        """Servers come back one by one; the collector is there before, between or long after them."""
        started = False
        for slot in range(SERVERS):
            if slot == load % 4:
                self.pass_time(late, load)
                self.start()
                started = True
            self.slots[slot] = self.host.start(f"srv{slot}")
            self.pass_time(17 + load % 40, load + slot)
            if started:
                self.tick()
        if not started:
            self.pass_time(late, load)
            self.start()

    def fill_disk(self, cycles: int, load: int) -> None:
        self.disk.cut = load
        self.trouble("full", cycles, load)

    def hang_disk(self, cycles: int, load: int) -> None:
        self.trouble("hung", cycles, load)

    def trouble(self, state: str, cycles: int, load: int) -> None:
        """The disk takes nothing for a while; servers may end meanwhile, and the collector may be killed in it."""
        self.disk.becomes(state)
        merged = self.run.writer.merged
        self.read(cycles, load)
        if load % 3 == 0:
            self.restart_server(load % SERVERS, ("told", "mute")[load % 2], 1, load)
            self.read(2, load)
        self.faults["frames merged in memory"] += self.run.writer.merged - merged
        if load % 4 == 0:
            self.faults["kill while the disk takes nothing"] += 1
            self.down(11, load)
        self.disk.becomes("sound")
        self.disk.settle(self.run.writer)

    def fail_sync(self, load: int) -> None:
        self.disk.becomes("sick")
        self.read(1, load)
        self.disk.becomes("sound")

    def rotate(self) -> None:
        self.run.writer.rotate()

    def damage(self, which: int, where: int, frames: bool) -> None:
        """A bit flips in a journal file that was not kept yet: in its frames, or in its head."""
        path = self.unkept(which)
        if path is None:
            return
        data = bytearray(path.read_bytes())
        ends = frame_ends(data)
        if not ends:
            return
        surely = SURELY if journal.number_of(path) == 1 else 0
        low, high = (ends[min(surely, len(ends) - 1)], len(data)) if frames or surely else (0, ends[0])
        if low == high:
            return
        data[low + where % (high - low)] ^= 1 << where % 8
        path.write_bytes(data)
        self.lost(path, "bit flip in a frame" if frames or surely else "bit flip in a head")

    def wreck(self, which: int, cut: int) -> None:
        """A journal file that was not kept yet is no journal any more, or ends in its head."""
        path = self.unkept(which)
        if path is not None and journal.number_of(path) > 1:
            path.write_bytes(b"no journal" if cut % 2 else path.read_bytes()[: cut % 400])
            self.lost(path, "journal file wrecked")

    def unkept(self, which: int) -> Path | None:
        """One of the journal files that will not be written to any more and that no segment replaces."""
        self.trace()
        replaced = {name for relation in self.tree.relations() for name in shelf(relation.folder).replaced}
        files = journal.files(self.tree.journal)
        there = [p for p in files[:-1] if p.name not in replaced]
        return there[which % len(there)] if there else None

    def lost(self, path: Path, what: str) -> None:
        """What only this file told is left nowhere."""
        self.faults[what] += 1
        # a part that bridges the file before it, which was wrecked, holds what this one's head told
        known = self.traced.get(path.name, set()) & self.in_segments()
        self.traced[path.name] = known | (epochs_in(path) if path.exists() else set())
        self._sizes[path.name] = path.stat().st_size if path.exists() else 0

    def in_segments(self) -> set[str]:
        """The epochs of which there is any usage in segments."""
        found: set[str] = set()
        for relation in self.tree.relations():
            if relation.kind == "usage":
                for segment in shelf(relation.folder).visible:
                    found.update(read(segment.path, relation.schema, ["epoch"]).column("epoch").to_pylist())
        return found

    def copy_segment(self, which: int) -> None:
        """A segment lies there a second time, under another name."""
        found = sorted(self.tree.folder.glob("usage/*/*.parquet"))
        if found:
            path = found[which % len(found)]
            digest = f"{len(found) * 100 + which:016x}"
            shutil.copyfile(path, path.with_name(f"{path.stem.rpartition('-')[0]}-{digest}.parquet"))
            self.faults["segment copied under another name"] += 1

    def flip_segment(self, which: int, where: int) -> None:
        """A bit flips in a segment: a check tells of it, and repair makes it again of what it was made of."""
        self.trace()
        there = [path for path in sorted(self.tree.folder.rglob("*.parquet")) if self.can_be_made_again(path)]
        if not there:
            return
        path = there[which % len(there)]
        data = bytearray(path.read_bytes())
        data[where % len(data)] ^= 1 << where % 8
        path.write_bytes(data)
        self.faults[f"bit flip in {path.relative_to(self.tree.folder).parts[0]}"] += 1
        report = Report()
        of_tree(self.tree, report)
        assert any(found.path == path for found in report.findings), f"nobody noticed the flip in {path}"
        repair(self.tree, EARLY_S, Rules({"readings": 40, "usage": 400}, 1e12))

    def can_be_made_again(self, path: Path) -> bool:
        """Of usage there must be the readings, of sums the usage; readings themselves are evidence only."""
        segment, kind = named(path), path.relative_to(self.tree.folder).parts[0]
        if segment is None or kind not in ("usage", "rollup"):
            return kind == "readings"
        of = "readings" if kind == "usage" else "usage"
        kept = shelf(self.tree.folder / of / path.parent.name).journals
        return kept.covers(footer(segment).journals)

    def two_keepers(self, over: bool) -> None:
        """Two copies of the store are kept, each by its own keeper, and become one again."""
        self.trace()
        copy = self.root.with_name(f"{self.root.name}-copy")
        shutil.copytree(self.root, copy)
        rules = Rules({"readings": 40, "usage": 400}, 1e12)
        for tree in (self.tree, Tree(copy, self.host.node)):
            keep(tree, LATE_S if over else EARLY_S, rules)
        for path in copy.rglob("*.parquet"):
            mine = self.root / path.relative_to(copy)
            mine.parent.mkdir(parents=True, exist_ok=True)
            path.rename(mine)
        shutil.rmtree(copy)

    def keep(self, over: bool, drop: bool) -> None:
        """The keeper runs, before or after the days are over; readings are kept or dropped at once."""
        self.trace()
        rules = Rules({"readings": -100 if drop else 40, "usage": 400}, -1e12 if over else 1e12)
        assert keep(self.tree, LATE_S if over else EARLY_S, rules) == 0

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


def epochs_in(path: Path) -> set[str]:
    """Whom a journal file knows of, as far as it can be read. An interface of nobody's is nobody's."""
    try:
        found = journal.read(path)
    except journal.JournalError:
        return set()
    subjects = [*found.carry.live.values(), *(s for frame in found.frames for s in frame.births)]
    return {s.epoch for s in subjects if s.source == "nfsd" or s.keys["server"] is not None}


def frame_ends(data: bytes) -> list[int]:
    """Where the head and each frame of a journal end."""
    ends, offset = [], len(journal.MAGIC)
    while offset + 8 <= len(data):
        offset += 8 + int.from_bytes(data[offset : offset + 4], "little")
        if offset > len(data):
            break
        ends.append(offset)
    return ends
