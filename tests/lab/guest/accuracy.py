"""Drive known loads at four NFS servers while `nasacct collect` watches; leave its store and the truth behind.

    python3 guest/accuracy.py      (needs --disk nas:2G --project; results in $LAB_OUT)

truth.json   what the clients' own mountstats say they moved, by server; what the kernel counted for each life of each
             server; the collector's exit status
store/       the collector's store; collect.log what it said
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nas import Nas, Plan
from vps import Moved, Vps
from watchers import Collector, Nobody

OUT = Path(os.environ["LAB_OUT"])
STORE = Path("/lab/store")
PLAN = {
    "101": Plan("1001", {21: "4.2", 22: "3"}),
    "102": Plan("1002", {23: "3"}),
    "103": Plan("1003", {24: "4.2"}),
    "104": Plan("1003/photos", {25: "3"}),
}
CONFIG = """
node = "nas"
interval_s = 2
[links]
uplinks = ["eth0"]
"""


def say(what: str) -> None:
    """A line of progress with the guest's uptime."""
    print(f"{float(Path('/proc/uptime').read_text('utf-8').split()[0]):7.1f} s  {what}", flush=True)


def write(mib: int, name: str = "big", block_kib: int = 1024) -> str:
    """A command that writes so much to /mnt/<name>, over the wire before it ends."""
    count = mib * 1024 // block_kib
    return f"dd if=/dev/zero of=/mnt/{name} bs={block_kib}k count={count} oflag=direct conv=fsync,notrunc"


def read(mib: int, name: str = "big", block_kib: int = 1024) -> str:
    """A command that reads so much of /mnt/<name>, past the client's cache."""
    return f"dd if=/mnt/{name} of=/dev/null bs={block_kib}k count={mib * 1024 // block_kib} iflag=direct"


def load(vps: Vps, *commands: str) -> None:
    """Run the commands in the VPS, one after the other."""
    for command in commands:
        began = time.monotonic()
        vps.sh(command)
        say(f"vps{vps.number}: {command.split(' bs=')[0]} took {time.monotonic() - began:.1f} s")


def play(nas: Nas, watch: Collector | Nobody) -> None:
    """Every load and every restart."""
    vps = nas.vps
    load(vps[21], write(52), read(52))
    load(vps[22], write(8), read(8))
    nas.start("103")
    nas.mount("103")
    say("103 was born under the collector's eyes")
    load(vps[23], write(52), read(52))
    load(vps[24], write(3, block_kib=4), read(3), "for i in 1 2 3 4; do touch /mnt/f$i; done; ls -l /mnt")

    nas.unmount("101")
    watch.cycles(2)
    nas.restart("101")
    nas.mount("101")
    say("101 was restarted, its clients had unmounted")
    load(vps[21], write(5), read(7))
    load(vps[22], write(3), read(2))

    watch.cycles(2)
    nas.restart("102")
    load(vps[23], write(4, "more"), read(6))
    say("102 was restarted under its idle NFSv3 mount")

    load(vps[25], write(5), read(5))
    nas.unmount("104")
    nas.restart("104")
    nas.mount("104")
    load(vps[25], write(2), read(1))
    say("104 was restarted right after a load")
    watch.cycles(2)


def main() -> int:
    """The whole run; exit status 0 when it went to its end, whatever the numbers are."""
    nas = Nas(PLAN)
    before = [name for name in PLAN if name != "103"]
    nas.start(*before)
    nas.mount(*before)
    say("the servers are up and mounted")
    watch = Collector(CONFIG, STORE) if Collector.possible() else Nobody()
    try:
        watch.cycles(2)
        say("the collector has its baseline")
        play(nas, watch)
    finally:
        status = watch.end()
    say("the collector ended")
    servers = {}
    for name, entry in PLAN.items():
        nas.note_life(name)
        moved = {number: nas.vps[number].moved() for number in entry.mounts}
        servers[name] = {
            "moved": asdict(sum(moved.values(), Moved())),
            "clients": {f"vps{number}": {"version": entry.mounts[number], **asdict(moved[number])} for number in moved},
            "lives": nas.lives[name],
        }
    truth = {"servers": servers, "collector_status": status, "kernel": os.uname().release}
    (OUT / "truth.json").write_text(json.dumps(truth, indent=1), "utf-8")
    if STORE.exists():
        shutil.copytree(STORE, OUT / "store")
    return 0


if __name__ == "__main__":
    sys.exit(main())
