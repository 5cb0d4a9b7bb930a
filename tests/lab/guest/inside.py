"""Drive loads at NFS servers on a slow disk while `nasacct collect` looks inside nfsd; leave its store and the truth.

    python3 guest/inside.py      (needs --disk nas:2G:iops-total=6 --project; results in $LAB_OUT)

truth.json   by server what its clients' mountstats say of every operation; what the disk read; what was in the kernel's
             instances before, meanwhile and after; what a histogram counted over many generations
store/       the collector's store; collect.log what it said; hist.txt a histogram as the kernel prints it
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nas import Nas, Plan
from topology import run
from watchers import Collector

OUT = Path(os.environ["LAB_OUT"])
STORE = Path("/lab/store")
TRACING = Path("/sys/kernel/tracing")
EVENT = "events/sunrpc/svc_stats_latency"
PLAN = {
    "201": Plan("2001", {31: "4.2"}),
    "202": Plan("2002", {32: "3"}),
    "203": Plan("2003", {33: "3"}),
}
CONFIG = """
node = "nas"
interval_s = 2
[links]
uplinks = ["eth0"]
[sources]
enabled = ["nfsd", "links", "disks", "inside", "latency", "threads"]
budget_percent = 100
"""


def say(what: str) -> None:
    """A line of progress with the guest's uptime."""
    print(f"{float(Path('/proc/uptime').read_text('utf-8').split()[0]):7.1f} s  {what}", flush=True)


def cold_reads(count: int) -> str:
    """A command that reads 16 KiB so often, each from another place of a file that nobody has in memory."""
    return (
        "fio --name=cold --filename=/mnt/data --rw=randread --bs=16k --direct=1 --size=3M --numjobs=2 "
        f"--offset_increment=3M --number_ios={count // 2} --ioengine=psync --randrepeat=0 --minimal > /dev/null"
    )


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

    pid = nas.servers["203"].pid
    server = Server("203", "epoch", pid, about={"netns": Path(f"/proc/{pid}/ns/net").stat().st_ino})
    tallies = Tallies(Histogram("trial", "procedure", us=True), "trial")
    before = nas.servers["203"].calls()
    tallies.read(now(), [server])
    load = nas.vps[33].spawn("for i in $(seq 30); do touch /mnt/t$i; done; sync /mnt")
    counted = rounds = 0
    while load.poll() is None:
        counted += hits(tallies.renew(now())["epoch"].values())
        rounds += 1
    tallies.read(now(), [server])
    tally = tallies.tally("epoch")
    assert tally is not None
    counted += hits(tallies.of(tally).values())
    after = nas.servers["203"].calls()
    (OUT / "hist.txt").write_bytes((TRACING / "instances/trial" / EVENT / "hist").read_bytes())
    tallies.close()
    return {"rounds": rounds, "counted": counted, "calls": after - before}


def main() -> int:
    """The whole run; exit status 0 when it went to its end, whatever the numbers are."""
    nas = Nas(PLAN)
    nas.start(*PLAN)
    for server in nas.servers.values():
        run("dd", "if=/dev/urandom", f"of={server.export.directory / 'data'}", "bs=1M", "count=6", "conv=fsync")
    Path("/proc/sys/vm/drop_caches").write_text("3", "ascii")
    say("the servers are up, their files on the disk")
    (TRACING / "instances/other").mkdir()
    for where in ("", "instances/other"):
        # without O_TRUNC, as another tracer would
        with os.fdopen(os.open(TRACING / where / EVENT / "trigger", os.O_WRONLY), "w") as trigger:
            trigger.write("hist:keys=netns_ino")
    theirs = foreign()
    watch = Collector(CONFIG, STORE)
    watch.cycles(2)
    nas.mount(*PLAN)
    whole = "dd if=/mnt/data of=/dev/null bs=1M iflag=direct"
    nas.vps[33].sh(whole)
    say("203's file is in the server's memory")
    watch.cycles(2)
    during = sorted(path.name for path in (TRACING / "instances").iterdir())
    before = disk_read_bytes()
    jobs = [nas.vps[31].spawn(cold_reads(40)), nas.vps[32].spawn(cold_reads(40)), nas.vps[33].spawn(whole)]
    for job in jobs:
        said, _ = job.communicate(timeout=200)
        if job.returncode:
            raise RuntimeError(said)
    read = disk_read_bytes() - before
    say("cold reads are done")
    done = time.monotonic()
    operations = {name: nas.vps[number].operations() for name, plan in PLAN.items() for number in plan.mounts}
    trial = generations(nas)
    say(f"over {trial['rounds']} generations")
    # threads are looked at every 30 s, and of those that end what they read since the last look is unknown
    while time.monotonic() < done + 34:
        watch.cycles(1)
    nas.unmount("202")
    nas.restart("202")
    nas.mount("202")
    nas.vps[32].sh("touch /mnt/again")
    say("202 was restarted")
    watch.cycles(2)
    for name in PLAN:
        nas.unmount(name)
        nas.servers[name].stop()
    watch.cycles(1)
    status = watch.end()
    truth = {
        "operations": operations,
        "disk_read_bytes": read,
        "generations": trial,
        "foreign": [theirs, foreign()],
        "instances": {"during": during, "after": sorted(p.name for p in (TRACING / "instances").iterdir())},
        "collector_status": status,
        "kernel": os.uname().release,
    }
    (OUT / "truth.json").write_text(json.dumps(truth, indent=1), "utf-8")
    shutil.copytree(STORE, OUT / "store")
    return 0


if __name__ == "__main__":
    sys.exit(main())
