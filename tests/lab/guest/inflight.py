"""Drive loads of a slow disk at two NFS servers while `nasacct collect` samples the calls in flight.

    python3 guest/inflight.py      (needs --disk nas:2G:iops-total=30 --project; results in $LAB_OUT)

inflight.json  what each client's own mountstats count of its operations and their time; how long a namespace outlived
               its server; the collector's exit status
store/         the collector's store; collect.log what it said
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nas import Nas, Plan
from topology import POOL, run
from watchers import Collector

if TYPE_CHECKING:
    from vps import Vps

OUT = Path(os.environ["LAB_OUT"])
STORE = Path("/lab/store")
#: The first server has threads for all of its clients' calls, the second one has not.
EASY, FULL = "201", "202"
PLAN = {EASY: Plan("1001", {21: "4.2", 22: "3", 23: "4.2"}), FULL: Plan("1002", {24: "4.2"})}
#: What each client does, and how many at a time.
LOADS = {21: ("read", 3), 22: ("read", 2), 23: ("write", 2), 24: ("read", 12)}
LOAD_S, FILE_MIB = 20, 24
CONFIG = """
node = "nas"
interval_s = 2
[links]
uplinks = ["eth0"]
[sources]
enabled = ["nfsd", "links", "inflight"]
budget_percent = 20
[inflight]
interval_ms = 100
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
            run("dd", "if=/dev/zero", f"of={path}", "bs=4M", f"count={FILE_MIB // 4}")
    run("sync")
    Path("/proc/sys/vm/drop_caches").write_text("3", "utf-8")


def load(nas: Nas, seconds: float) -> None:
    """Let every client do what it does for so long."""
    worker = Path("/lab/worker.py")
    worker.write_text(WORKER, "utf-8")
    workers = {
        number: nas.vps[number].spawn(f"python3 {worker} {what} {jobs} {seconds} /mnt/{number}")
        for number, (what, jobs) in LOADS.items()
    }
    for number, process in workers.items():
        said, _ = process.communicate(timeout=seconds + 60)
        if process.returncode:
            raise RuntimeError(f"vps{number}: {said}")


def operations(vps: Vps) -> dict[str, dict[str, int]]:
    """By operation, in the kernel's words: how many there were, and the ms from sending a call to its answer."""
    text = Path(f"/proc/{vps.pid}/mountstats").read_text("utf-8")
    entry = text[text.index(" mounted on /mnt ") :].split("\ndevice ")[0]
    rows = re.findall(r"^\s+([A-Z_0-9]+): (\d+) \d+ \d+ \d+ \d+ \d+ (\d+) ", entry, re.MULTILINE)
    return {name.lower(): {"calls": int(calls), "rtt_ms": int(ms)} for name, calls, ms in rows if int(calls)}


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


def play(nas: Nas, watch: Collector) -> dict[str, Any]:
    """The loads, and the restart of one server; what the clients counted."""
    watch.cycles(2)
    say("the collector has its baseline")
    load(nas, LOAD_S)
    say("the load is over")
    counted = {str(number): operations(vps) for number, vps in nas.vps.items()}
    watch.cycles(2)
    nas.unmount(FULL)
    outlived_s = outlived(nas, FULL)
    say(f"{FULL} was restarted; its namespace outlived it by {outlived_s:.1f} s")
    watch.cycles(4)
    return {"clients": counted, "outlived_s": outlived_s}


def main() -> int:
    """The whole run; exit status 0 when it went to its end, whatever the numbers are."""
    nas = Nas(PLAN)
    nas.start(*PLAN)
    say("the servers are up")
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
    (OUT / "inflight.json").write_text(json.dumps(truth, indent=1), "utf-8")
    shutil.copytree(STORE, OUT / "store")
    return 0


if __name__ == "__main__":
    sys.exit(main())
