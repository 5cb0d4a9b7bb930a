"""Plays a schedule: the machine lives, the collector reads it, disks and processes fail, the keeper runs."""

from __future__ import annotations

from faults.files import frame_ends
from faults.harm import SURELY, Harm
from faults.run import INTERVAL_S
from faults.schedule import SERVERS
from faults.truth import LINK, SECOND

from nasacct.store import journal


class Story(Harm):
    """What happens to the machine, its servers, the collector and the disk: a method for each step of a schedule."""

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
