"""Play plots on one file system while `nasacct collect` watches with all of its sources: a store and truth for each.

It is `python3 guest/stage.py PLOT...`, needs --disk nas:4G:THROTTLE and --project, and leaves results in $LAB_OUT/PLOT.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import jobs
import zpool
from nas import Nas
from plots import AFTER_S, DAILY, HISTORY_S, LOAD_S, LOCAL, MIB, PLAN, PLOTS, Load, Plot
from topology import POOL, run
from watchers import Collector

if TYPE_CHECKING:
    from vps import Vps

OUT = Path(os.environ["LAB_OUT"])
LOADS = Path(__file__).resolve().with_name("load.py")
DISK = Path("/dev/disk/lab/nas").resolve().name
SOURCES = "nfsd procs links clients disks node export_stats inside latency threads inflight local layout places".split()
OF_ZFS = ["space", "datasets", "pools", "scans"]
#: The intervals are a node's own, but for what is looked at twice in three minutes otherwise.
CONFIG = """
node = "nas"
[links]
uplinks = ["eth0"]
[disks]
include = ["{disk}"]
[sources]
enabled = {sources}
budget_percent = 100
[pools]
interval_s = 10
[datasets]
interval_s = 10
[local]
interval_s = 10
[scans]
interval_s = 10
[space]
interval_s = 60
[layout]
interval_s = 60
[places]
interval_s = 60
"""


def say(what: str) -> None:
    """A line of progress with the guest's uptime."""
    print(f"{float(Path('/proc/uptime').read_text('utf-8').split()[0]):7.1f} s  {what}", flush=True)


def fill(plots: list[Plot]) -> None:
    """Make the files that the plots and the members' days take, on the NAS itself."""
    for server, name in sorted({(server, DAILY) for server in PLAN}.union(*(plot.files for plot in plots))):
        path = POOL / PLAN[server].dataset / "private" / name
        run("dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={MIB[name]}")
    run("sync")


def forget() -> None:
    """Take out of memory what was read, but for what is `hot`."""
    Path("/proc/sys/vm/drop_caches").write_text("3", "utf-8")
    for path in POOL.glob("*/private/hot"):
        path.read_bytes()


def hide(pid: int) -> None:
    """Let nobody see what a process reads and writes: VPSes are elsewhere, what they do is nothing of the NAS's own."""
    run("mount", "--bind", "/dev/null", f"/proc/{pid}/io")


def disk() -> tuple[int, int]:
    """Milliseconds the disk was busy so far, and requests it served."""
    fields = [int(word) for word in Path(f"/sys/block/{DISK}/stat").read_text("utf-8").split()]
    return fields[9], fields[0] + fields[4]


class Player:
    """Plays one plot."""

    def __init__(self, nas: Nas, plot: Plot) -> None:
        self.nas, self.plot = nas, plot
        self.log: list[dict[str, Any]] = []

    def play(self) -> dict[str, Any]:
        """The days of all, after a while the loads, and the rest of the days; what happened."""
        whole = HISTORY_S + LOAD_S + AFTER_S
        days = [self._spawn(vps, "day", whole) for vps in self.nas.vps.values()]
        time.sleep(HISTORY_S)
        began, before, (busy_ms, requests) = time.time(), self.nas.moved(), disk()
        loads = [threading.Thread(target=self._load, args=(load,)) for load in self.plot.loads]
        for load in loads:
            load.start()
        for load in loads:
            load.join()
        ended, after, (busy_after_ms, requests_after) = time.time(), self.nas.moved(), disk()
        say(f"{self.plot.name}: the disk was busy {(busy_after_ms - busy_ms) / (ended - began) / 10:.0f} %")
        for each in days:
            self._join(each, "day")
        return {
            "plot": self.plot.name,
            "words": self.plot.words,
            "filesystem": self.plot.filesystem,
            "kernel": os.uname().release,
            "disk": DISK,
            "verdict": self.plot.verdict,
            "culprits": self.plot.culprits,
            "how": self.plot.how,
            "from": round(began, 1),
            "to": round(ended, 1),
            "loads": sorted(self.log, key=lambda entry: entry["from"]),
            "disk_busy_percent": round((busy_after_ms - busy_ms) / (ended - began) / 10),
            "disk_requests_per_s": round((requests_after - requests) / (ended - began), 1),
            "servers": {
                name: {
                    "member": plan.member,
                    "nfs": list(plan.mounts.values()),
                    "moved": [asdict(after[number] - before[number]) for number in plan.mounts],
                }
                for name, plan in PLAN.items()
            },
        }

    def _spawn(self, vps: Vps, kind: str, seconds: float) -> subprocess.Popen[str]:
        argv = [sys.executable, str(LOADS), kind, str(seconds), "/mnt", f"{self.plot.name}/{vps.number}"]
        process = subprocess.Popen(vps.argv(*argv), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        hide(process.pid)
        return process

    def _join(self, process: subprocess.Popen[str], kind: str) -> int:
        said, _ = process.communicate(timeout=LOAD_S + AFTER_S + 120)
        if process.returncode:
            raise RuntimeError(f"{self.plot.name}: {kind}: {said}")
        return int(said.split()[-1])

    def _load(self, load: Load) -> None:
        time.sleep(load.after_s)
        began, seconds = time.time(), LOAD_S - load.after_s
        entry = {"who": load.who, "what": load.what, "guilty": load.guilty, "from": round(began, 1)}
        if load.who == LOCAL:
            jobs.JOBS[load.what](seconds)
        else:
            (number,) = PLAN[load.who].mounts
            entry["done"] = self._join(self._spawn(self.nas.vps[number], load.what, seconds), load.what)
        self.log.append(entry | {"to": round(time.time(), 1)})


def record(nas: Nas, plot: Plot) -> bool:
    """Play a plot; its store and truth are left in a folder of its name. Whether the collector ended well."""
    folder, store = OUT / plot.name, Path("/lab/stores", plot.name)
    folder.mkdir()
    store.parent.mkdir(exist_ok=True)
    sources = SOURCES + (OF_ZFS if plot.filesystem == "zfs" else [])
    if plot.loads[0].what == "zfs recv":
        jobs.stream()
    forget()
    config = CONFIG.format(disk=DISK, sources=json.dumps(sources))
    watch = Collector(config, store, folder / "collect.log")
    try:
        watch.cycles(2)
        truth = Player(nas, plot).play()
        watch.cycles(2)
    finally:
        status = watch.end()
    truth |= {"config": config, "collector_status": status}
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", "utf-8")
    shutil.copytree(store, folder / "store")
    shutil.rmtree(store)
    return status == 0


def main() -> int:
    """Exit status 1 when a collector failed."""
    plots = [plot for plot in PLOTS if plot.name in sys.argv[1:]]
    hide(os.getpid())  # a process's own count has that of its children who have ended
    (filesystem,) = {plot.filesystem for plot in plots}
    if filesystem == "zfs":
        zpool.load()
        nas = Nas(PLAN, zpool.create)
        zpool.datasets([plan.dataset for plan in PLAN.values()])
    else:
        nas = Nas(PLAN)
    nas.start(*PLAN)
    fill(plots)
    say("the servers are up, and their files are made")
    nas.mount(*PLAN)
    well = [record(nas, plot) for plot in plots]
    return int(not all(well))


if __name__ == "__main__":
    sys.exit(main())
