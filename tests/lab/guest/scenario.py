"""Play eleven minutes of a small NAS's day while `nasacct record` watches: the demo's recording.

    python3 guest/scenario.py [PACE]      (needs --disk nas:4G:iops-total=40 --project; results in $LAB_OUT)

PACE 0.1 plays it in a tenth of the time. recording.jsonl.zst is what the recorder wrote, GROUND_TRUTH.json what really
happened: every job with its interval, and what each VPS moved in it and over the whole recording, by its mountstats.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nas import Nas, Plan
from topology import POOL, run
from vps import Moved
from watchers import Nobody, Recorder

OUT = Path(os.environ["LAB_OUT"])
PACE = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
TOTAL_S, INTERVAL_S = 660, 1
BIG_MIB = max(64, int(1000 * PACE))
PLAN = {
    "101": Plan("1001", {21: "4.2", 22: "4.2"}),
    "102": Plan("1001/photos", {23: "4.2"}),
    "103": Plan("1002", {31: "4.2"}),
    "104": Plan("1002/backup", {32: "3"}),
    "105": Plan("1003", {41: "4.2"}),
    "106": Plan("1004", {51: "4.2"}),
}
DISK = Path("/dev/disk/lab/nas").resolve().name
RESTARTED, RESTART_AT_S = "103", 345
CONFIG = """
node = "nas"
interval_s = {interval}
[links]
uplinks = ["eth0"]
[disks]
include = ["{disk}"]
"""

STORM = """
import os, sys, time
end, folder, n = time.time() + float(sys.argv[1]), "/mnt/mail" + sys.argv[2], 0
os.makedirs(folder, exist_ok=True)
while time.time() < end:
    path = f"{folder}/{n}"
    open(path, "w").close()
    os.stat(path)
    if n % 4 == 3:
        os.rename(path, path + "r")
        path += "r"
    os.unlink(path)
    n += 1
print(n)
"""


@dataclass(frozen=True, slots=True)
class Job:
    """What one VPS does from `start_s` on: in words and as a command."""

    start_s: float
    vps: int
    kind: str
    command: str


def fio(seconds: float, **options: str | int) -> str:
    """A fio job of that length on the mount."""
    said = {"ioengine": "psync", "time_based": 1, "runtime": round(seconds), "thread": 1, **options}
    return "fio --name=job --output-format=terse " + " ".join(f"--{key}={value}" for key, value in said.items())


def jobs() -> list[Job]:
    """The schedule, at full length."""
    light_s, heavy_s = (TOTAL_S - 30) * PACE, 110 * PACE
    # all of it O_DIRECT: the dirty pages of clients on the same kernel as their server block each other
    light = {"bs": "16k", "filename": "/mnt/small", "size": "32M", "rate_iops": 3, "direct": 1}
    big = {"bs": "128k", "filename": "/mnt/big", "size": f"{BIG_MIB}M", "direct": 1, "numjobs": 4}
    log = {"bs": "16k", "filename": "/mnt/wal", "size": "128M", "direct": 1, "fsync": 1, "numjobs": 4}
    look = f"end=$(($(date +%s) + {round(light_s)})); while [ $(date +%s) -lt $end ]; do ls -l /mnt; sleep 20; done"
    backup = f"dd if=/dev/zero of=/mnt/dump oflag=direct bs=1M count={round(200 * PACE)} conv=fsync"
    backup += "; dd if=/mnt/dump of=/dev/null iflag=direct bs=1M"
    storm = f"for k in 1 2 3 4 5 6 7 8; do python3 -c '{STORM}' {90 * PACE} $k & done; wait"
    return [
        Job(5, 21, "light random reads", fio(light_s, rw="randread", **light)),
        Job(5, 22, "light writes", fio(light_s, rw="randwrite", fsync=16, **light)),
        Job(5, 31, "light writes, until before the restart", fio(305 * PACE, rw="randwrite", fsync=16, **light)),
        Job(5, 51, "almost idle", look),
        Job(60, 23, "random reads, 4 deep, of a file larger than the NAS's memory", fio(heavy_s, rw="randread", **big)),
        Job(210, 32, "a backup written and read back over NFSv3", backup),
        Job(380, 31, "16 KiB writes, each with fsync, 4 deep", fio(heavy_s, rw="randwrite", **log)),
        Job(525, 41, "files created, renamed and removed by 8 processes", storm),
    ]


def fill() -> None:
    """Make the files that are read and written over, on the NAS itself and out of its memory."""
    for dataset, name, mib in (
        ("1001", "small", 32),
        ("1001/photos", "big", BIG_MIB),
        ("1002", "small", 32),
        ("1002", "wal", 128),
    ):
        run("dd", "if=/dev/zero", f"of={POOL}/{dataset}/private/{name}", "bs=1M", f"count={mib}")
    run("sync")
    Path("/proc/sys/vm/drop_caches").write_text("3", "utf-8")


def disk() -> tuple[int, int]:
    """Milliseconds the disk was busy so far, and requests it served."""
    fields = [int(word) for word in Path(f"/sys/block/{DISK}/stat").read_text("utf-8").split()]
    return fields[9], fields[0] + fields[4]


class Player:
    """Plays the jobs, each on a thread of its own, and keeps what happened."""

    def __init__(self, nas: Nas) -> None:
        self.nas, self._lock = nas, threading.Lock()
        self.log: list[dict[str, Any]] = []
        self.began, self.began_wall = time.monotonic(), time.time()
        self._threads = [threading.Thread(target=self._play, args=(job,)) for job in jobs()]
        self._threads.append(threading.Thread(target=self._restart))

    def play(self) -> None:
        """From the first job to the last one's end, and the rest of the time."""
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join()
        self._wait_until(TOTAL_S)
        self.log.sort(key=lambda entry: entry["start_s"])

    def _now(self) -> float:
        return time.monotonic() - self.began

    def _wait_until(self, at_s: float) -> None:
        time.sleep(max(0.0, at_s * PACE - self._now()))

    def _play(self, job: Job) -> None:
        self._wait_until(job.start_s)
        vps = self.nas.vps[job.vps]
        while not vps.mounted:  # its server is being restarted
            time.sleep(0.2)
        with self._noted(job.kind, vps=job.vps) as entry:
            argv = vps.argv("sh", "-c", job.command)
            done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            entry["status"] = done.returncode
        if done.returncode:
            print(f"vps{job.vps}: {done.stdout[-800:]}", flush=True)

    def _restart(self) -> None:
        self._wait_until(RESTART_AT_S)
        with self._noted(f"restart of server {RESTARTED}"):
            self.nas.unmount(RESTARTED)
            time.sleep(3 * INTERVAL_S)  # quiesced: the recorder sees the last counters of this life
            self.nas.restart(RESTARTED)
            self.nas.mount(RESTARTED)

    @contextmanager
    def _noted(self, kind: str, **what: object) -> Iterator[dict[str, Any]]:
        """Put into the log what was moved, and what the disk did, while the body ran."""
        entry: dict[str, Any] = {"kind": kind, **what, "start_s": round(self._now(), 1), "end_s": None, "status": 0}
        before, (busy_ms, requests), start = self.nas.moved(), disk(), self._now()
        yield entry
        after, (busy_after_ms, requests_after), end = self.nas.moved(), disk(), self._now()
        entry["end_s"] = round(end, 1)
        entry["disk_busy_percent"] = round((busy_after_ms - busy_ms) / (end - start) / 10)
        entry["disk_requests_per_s"] = round((requests_after - requests) / (end - start), 1)
        entry["moved_by_vps"] = {str(number): asdict(after[number] - before[number]) for number in after}
        with self._lock:
            self.log.append(entry)
        words = "{start_s:6.1f} .. {end_s:6.1f} s  disk {disk_busy_percent:3} %  {kind}"
        print(words.format(**entry), flush=True)


def main() -> int:
    """Set up, record, play, tell; exit status 1 when a job or the recorder failed."""
    nas = Nas(PLAN)
    nas.start(*PLAN)
    fill()
    nas.mount(*PLAN)
    config = CONFIG.format(interval=INTERVAL_S, disk=DISK)
    watch = Recorder(config, OUT / "recording.jsonl.zst") if Recorder.possible() else Nobody()
    time.sleep(3 * INTERVAL_S)  # its first cycle is the baseline; nobody moves anything yet
    before = nas.moved()
    player = Player(nas)
    player.play()
    after = nas.moved()
    time.sleep(3 * INTERVAL_S)  # a last cycle after the last byte
    status = watch.end()
    moved = {number: after[number] - before[number] for number in nas.vps}
    truth = {
        "kernel": os.uname().release,
        "filesystem": "ext4",
        "disk": DISK,
        "interval_s": INTERVAL_S,
        "began": player.began_wall,
        "servers": {
            name: {
                "member": plan.member,
                "dataset": plan.dataset,
                "address": nas.servers[name].address,
                "lives": nas.servers[name].lives,
                "vps": {str(number): version for number, version in plan.mounts.items()},
                "moved": asdict(sum((moved[number] for number in plan.mounts), Moved())),
            }
            for name, plan in PLAN.items()
        },
        "vps": {str(number): {"address": vps.address, **asdict(moved[number])} for number, vps in nas.vps.items()},
        "jobs": player.log,
    }
    (OUT / "GROUND_TRUTH.json").write_text(json.dumps(truth, indent=1) + "\n", "utf-8")
    return int(status != 0 or any(entry["status"] for entry in player.log))


if __name__ == "__main__":
    sys.exit(main())
