"""Drive loads of a slow disk at two NFS servers while `nasacct collect` looks inside nfsd; leave its store, the truth.

    python3 guest/inside.py      (needs --disk nas:2G:iops-total=30 --project; results in $LAB_OUT)

inside.json    what each client's own mountstats count of its operations and their time; what the disk read; how long a
               namespace outlived its server; what was in the kernel's trace instances; what a histogram counted over
               many generations; from when to when one client alone saturated the disk; the collector's exit status
store/         the collector's store; collect.log what it said
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nas import Nas, Plan
from topology import POOL, run
from watchers import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OUT = Path(os.environ["LAB_OUT"])
STORE = Path("/lab/store")
TRACING = Path("/sys/kernel/tracing")
EVENT = "events/sunrpc/svc_stats_latency"
#: The first server has threads for all of its clients' calls, the second one has not.
EASY, FULL = "201", "202"
PLAN = {EASY: Plan("1001", {21: "4.2", 22: "3", 23: "4.2"}), FULL: Plan("1002", {24: "4.2"})}
#: What each client does, and how many at a time.
LOADS = {21: ("read", 3), 22: ("read", 2), 23: ("write", 2), 24: ("read", 12)}
LOAD_S, FILE_MIB = 20, 24
#: When these are done one more server's client saturates the disk, alone, for so long.
ALONE, ALONE_S, ALONE_MIB = "203", 60, 64
PLAN |= {ALONE: Plan("1003", {25: "4.2"})}
ALONE_LOAD = {25: ("read", 4)}
CONFIG = """
node = "nas"
interval_s = 2
[links]
uplinks = ["eth0"]
[sources]
enabled = ["nfsd", "links", "disks", "node", "inside", "latency", "threads", "inflight", "layout", "places"]
budget_percent = 100
[inflight]
interval_ms = 250
"""

#: Random 16 KiB past the client's cache: $1 read or write, $2 how many at a time, $3 seconds, $4 the file. It begins
#: with calls of another kind, so that its server is known to be used when the time begins that is compared.
WORKER = """
import mmap, os, random, sys, threading, time
what, jobs, seconds, path = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
for _ in range(30):
    os.statvfs(path)
    time.sleep(0.2)
end = time.monotonic() + seconds
def work():
    fd, buffer = os.open(path, os.O_RDWR | os.O_DIRECT), mmap.mmap(-1, 16384)
    blocks = os.fstat(fd).st_size // 16384
    while time.monotonic() < end:
        at = random.randrange(blocks) * 16384
        if what == "read":
            os.preadv(fd, [buffer], at)
        else:
            os.pwritev(fd, [buffer], at, os.RWF_SYNC)
threads = [threading.Thread(target=work) for _ in range(jobs)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def say(what: str) -> None:
    """A line of progress with the guest's uptime."""
    print(f"{float(Path('/proc/uptime').read_text('utf-8').split()[0]):7.1f} s  {what}", flush=True)


def fill() -> None:
    """Make a file for each client, on the NAS itself and out of its memory."""
    for plan in PLAN.values():
        for number in plan.mounts:
            path = f"{POOL}/{plan.dataset}/private/{number}"
            mib = ALONE_MIB if number in ALONE_LOAD else FILE_MIB
            run("dd", "if=/dev/zero", f"of={path}", "bs=4M", f"count={mib // 4}")
    run("sync")
    Path("/proc/sys/vm/drop_caches").write_text("3", "utf-8")


def load(nas: Nas, seconds: float, loads: Mapping[int, tuple[str, int]]) -> None:
    """Let clients do what they do for so long."""
    worker = Path("/lab/worker.py")
    worker.write_text(WORKER, "utf-8")
    workers = {
        number: nas.vps[number].spawn(f"python3 {worker} {what} {jobs} {seconds} /mnt/{number}")
        for number, (what, jobs) in loads.items()
    }
    for number, process in workers.items():
        said, _ = process.communicate(timeout=seconds + 60)
        if process.returncode:
            raise RuntimeError(f"vps{number}: {said}")


def disk_read_bytes() -> int:
    """What the NAS's disk has read."""
    device = Path("/dev/disk/lab/nas").resolve().name
    for line in Path("/proc/diskstats").read_text("ascii").splitlines():
        fields = line.split()
        if fields[2] == device:
            return int(fields[5]) * 512
    raise RuntimeError(f"/proc/diskstats has no {device}")


def foreign() -> str:
    """What another tracer counts of the same event, in an instance of its own and beside all instances."""
    return "".join((TRACING / where / EVENT / "trigger").read_text("ascii") for where in ("", "instances/other"))


def generations(nas: Nas) -> dict[str, int]:
    """Count a server's calls over many generations of a histogram, under load, and by its nfsd file beside it."""
    from nasacct.collect.machine import Server
    from nasacct.collect.tallies import Tallies
    from nasacct.collect.tracing import Histogram
    from nasacct.store.frame import Instant

    def now() -> Instant:
        return Instant(time.time_ns(), time.clock_gettime_ns(time.CLOCK_BOOTTIME))

    def hits(counts: Iterable[tuple[int, int]]) -> int:
        return sum(calls for calls, _ in counts)

    pid = nas.servers[EASY].pid
    server = Server(EASY, "epoch", pid, about={"netns": Path(f"/proc/{pid}/ns/net").stat().st_ino})
    tallies = Tallies(Histogram("trial", "procedure", us=True), "trial")
    before = nas.servers[EASY].calls()
    tallies.read(now(), [server])
    load = nas.vps[22].spawn("for i in $(seq 30); do touch /mnt/t$i; done; sync /mnt")
    counted = rounds = 0
    while load.poll() is None:
        counted += hits(tallies.renew(now())["epoch"].values())
        rounds += 1
    tallies.read(now(), [server])
    tally = tallies.tally("epoch")
    assert tally is not None
    counted += hits(tallies.of(tally).values())
    after = nas.servers[EASY].calls()
    tallies.close()
    return {"rounds": rounds, "counted": counted, "calls": after - before}


def outlived(nas: Nas, name: str) -> float:
    """Restart a server; for how many seconds its namespace was still there after its end.

    One end of a pair of interfaces goes into it: the other one is there as long as it is.
    """
    run("ip", "link", "add", "pin", "type", "veth", "peer", "name", "pinned", "netns", str(nas.servers[name].pid))
    nas.servers[name].stop()
    began = time.monotonic()
    while Path("/sys/class/net/pin").exists():
        if time.monotonic() - began > 30:
            break
        time.sleep(0.1)
    found = time.monotonic() - began
    nas.servers[name].start()
    return found


def trace_as_others_do() -> None:
    """Have the kernel count the same event for somebody else, beside all instances and in another one."""
    (TRACING / "instances/other").mkdir()
    for where in ("", "instances/other"):
        # without O_TRUNC, which would take triggers away
        with os.fdopen(os.open(TRACING / where / EVENT / "trigger", os.O_WRONLY), "w") as trigger:
            trigger.write("hist:keys=netns_ino")


def instances() -> list[str]:
    """The trace instances that there are."""
    return sorted(path.name for path in (TRACING / "instances").iterdir())


def play(nas: Nas, watch: Collector) -> dict[str, Any]:
    """The loads, and the restart of one server; what the clients counted."""
    watch.cycles(2)
    during = instances()
    say("the collector has its baseline")
    before = disk_read_bytes()
    load(nas, LOAD_S, LOADS)
    read, done = disk_read_bytes() - before, time.monotonic()
    say("the load is over")
    counted = {str(number): vps.operations() for number, vps in nas.vps.items()}
    trial = generations(nas)
    say(f"over {trial['rounds']} generations")
    load(nas, ALONE_S, ALONE_LOAD)
    alone = {"server": ALONE, "from": time.time() - ALONE_S, "to": time.time()}
    counted |= {str(number): nas.vps[number].operations() for number in ALONE_LOAD}
    say("one client alone is done")
    # threads are looked at every 30 s, and of those that end what they read since the last look is unknown
    while time.monotonic() < done + 34:
        watch.cycles(1)
    nas.unmount(FULL)
    outlived_s = outlived(nas, FULL)
    say(f"{FULL} was restarted; its namespace outlived it by {outlived_s:.1f} s")
    watch.cycles(4)
    for name in PLAN:
        if name != FULL:
            nas.unmount(name)
        nas.servers[name].stop()
    return {
        "clients": counted,
        "outlived_s": outlived_s,
        "disk_read_bytes": read,
        "generations": trial,
        "alone": alone,
        "during": during,
    }


def main() -> int:
    """The whole run; exit status 0 when it went to its end, whatever the numbers are."""
    nas = Nas(PLAN)
    nas.start(*PLAN)
    say("the servers are up")
    trace_as_others_do()
    theirs = foreign()
    watch = Collector(CONFIG, STORE)
    try:
        fill()
        nas.mount(*PLAN)
        say("everything is mounted")
        truth = play(nas, watch)
    finally:
        status = watch.end()
    say("the collector ended")
    addresses = {str(number): vps.address for number, vps in nas.vps.items()}
    truth |= {"collector_status": status, "kernel": os.uname().release, "addresses": addresses}
    truth |= {"foreign": [theirs, foreign()], "after": instances()}
    (OUT / "inside.json").write_text(json.dumps(truth, indent=1), "utf-8")
    shutil.copytree(STORE, OUT / "store")
    return 0


if __name__ == "__main__":
    sys.exit(main())
