"""In the virtual machine: read from a server's memory, in turns with every source collected and with no collector.

python3 guest.py ROUNDS      (needs --disk nas:2G --project; rounds.json in $LAB_OUT)
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nas import Nas, Plan
from watchers import Collector

OUT = Path(os.environ["LAB_OUT"])
CONFIG = """
node = "nas"
interval_s = 10
[links]
uplinks = ["eth0"]
[sources]
enabled = ["nfsd", "procs", "links", "disks", "node", "clients", "inside", "latency", "threads", "inflight"]
budget_percent = 100
"""
#: So many reads of 4 KiB a round, by four at once.
READS = 12_000
LOAD = (
    "fio --name=cached --filename=/mnt/data --rw=randread --bs=4k --direct=1 --size=4M --numjobs=4 --group_reporting "
    f"--io_size={READS // 4 * 4}k --ioengine=psync --norandommap --randrepeat=0"
)


def cpu_ticks() -> int:
    """CPU time of the whole machine that was not idle, in ticks."""
    fields = [int(word) for word in Path("/proc/stat").read_text("ascii").split("\n")[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4]


def round_(nas: Nas) -> dict[str, float]:
    """Reads a second, and the machine's CPU ticks for a thousand reads."""
    before, began = cpu_ticks(), time.monotonic()
    calls = nas.servers["231"].calls()
    said = nas.vps[41].sh(LOAD)
    took = time.monotonic() - began
    done = nas.servers["231"].calls() - calls
    if done < READS * 0.9 or not re.search("IOPS=", said):
        raise RuntimeError(f"{done} calls; {said}")
    return {"per_s": done / took, "ticks": 1000 * (cpu_ticks() - before) / done}


def main() -> int:
    """All rounds."""
    nas = Nas({"231": Plan("3001", {41: "3"}), "232": Plan("3002", {42: "4.2"})})
    nas.start("231", "232")
    nas.mount("231", "232")
    nas.vps[41].sh("dd if=/dev/urandom of=/mnt/data bs=1M count=4 conv=fsync")
    round_(nas)
    rounds = []
    for number in range(int(sys.argv[1])):
        off = round_(nas)
        store = Path(f"/lab/store{number}")
        watch = Collector(CONFIG, store)
        watch.cycles(2)
        on = round_(nas)
        if watch.end():
            raise RuntimeError(watch.log.read_text("utf-8"))
        rounds.append({"off": off, "on": on})
        print(rounds[-1], flush=True)
        (OUT / "rounds.json").write_text(json.dumps(rounds), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
