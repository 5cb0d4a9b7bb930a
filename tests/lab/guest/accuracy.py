"""Drive known loads at five NFS servers while `nasacct collect` watches; leave its store and the truth behind.

    python3 guest/accuracy.py      (needs --disk nas:2G --project; results in $LAB_OUT)

truth.json   what the clients' own mountstats say they moved, by server; what the kernel counted for each life of each
             server; what each VPS's kernel counted of its connections; since when nothing can escape; the collector's
             exit status
store/       the collector's store; collect.log what it said
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, str(Path(__file__).resolve().parent))

from nas import Nas, Plan
from vps import Moved, Vps
from watchers import Collector, Nobody

OUT = Path(os.environ["LAB_OUT"])
STORE, SOCKETS = Path("/lab/store"), Path("/lab")
PLAN = {
    "101": Plan("1001", {21: "4.2,nconnect=4", 22: "3"}),
    "102": Plan("1002", {23: "3"}),
    "103": Plan("1003", {24: "4.2"}),
    "104": Plan("1003/photos", {25: "3"}),
    "105": Plan("1004", {26: "3"}),
}
CONFIG = """
node = "nas"
interval_s = 2
[links]
uplinks = ["eth0"]
[sources]
enabled = ["nfsd", "links", "clients", "export_stats", "disks", "node"]
[export_stats]
interval_s = 5
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
    vps[23].drop_connections()
    load(vps[23], read(3))
    say("its VPS connected anew after a reset")

    load(vps[25], write(5), read(5))
    nas.unmount("104")
    nas.restart("104")
    nas.mount("104")
    load(vps[25], write(2), read(1))
    say("104 was restarted right after a load")

    # a server that ends takes its exports back first: who writes is denied, and tries again
    again = "until {}; do sleep 0.2; done"
    busy = vps[26].spawn("; ".join(again.format(do(12, block_kib=64)) for do in (write, read)))
    wait_until(lambda: nas.servers["105"].io()[1] > 2 << 20, "the load on 105 is under way")
    nas.restart("105")
    said, _ = busy.communicate(timeout=120)
    if busy.returncode:
        raise RuntimeError(f"vps26: {said}")
    say("105 was restarted in the middle of a load, which went on")

    watch.cycles(2)
    vps[24].unplug()
    for name in ("101", "102", "104", "105"):
        nas.unmount(name)
    for number in (21, 22, 23, 25, 26):
        wait_until(lambda one=vps[number]: not one.connected(), f"vps{number} has disconnected")
    say("vps24 died while it had mounted 103, the others unmounted")
    watch.cycles(2)


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = 60) -> None:
    """Wait for it; RuntimeError when it does not come."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"not in {deadline_s} s: {what}")
        time.sleep(0.2)


def connections(vps: Vps) -> dict[str, object]:
    """What the VPS's kernel counted: its address, and each of its connections."""
    vps.end_watch()
    lines = (SOCKETS / f"vps{vps.number}.jsonl").read_text("utf-8").splitlines()
    return {"address": vps.address, "connections": [json.loads(line) for line in lines]}


def main() -> int:
    """The whole run; exit status 0 when it went to its end, whatever the numbers are."""
    nas = Nas(PLAN)
    before = [name for name in PLAN if name != "103"]
    nas.start(*before)
    for number, vps in nas.vps.items():
        vps.watch_sockets(SOCKETS / f"vps{number}.jsonl")
    say("the servers are up")
    watch = Collector(CONFIG, STORE) if Collector.possible() else Nobody()
    try:
        # what ends before a server was looked at twice may be of before
        watch.cycles(4)
        say("the collector has its baseline")
        baseline = datetime.now(UTC).isoformat(timespec="milliseconds")
        # what is counted next begins at a cycle after that
        watch.cycles(2)
        nas.mount(*before)
        play(nas, watch)
    finally:
        status = watch.end()
    say("the collector ended")
    sockets = {str(number): connections(vps) for number, vps in nas.vps.items()}
    servers = {}
    for name, entry in PLAN.items():
        nas.note_life(name)
        moved = {number: nas.vps[number].moved() for number in entry.mounts}
        servers[name] = {
            "moved": asdict(sum(moved.values(), Moved())),
            "clients": {f"vps{number}": {"version": entry.mounts[number], **asdict(moved[number])} for number in moved},
            "lives": nas.lives[name],
        }
    truth = {"servers": servers, "sockets": sockets, "baseline": baseline}
    truth |= {"collector_status": status, "kernel": os.uname().release}
    (OUT / "truth.json").write_text(json.dumps(truth, indent=1), "utf-8")
    if STORE.exists():
        shutil.copytree(STORE, OUT / "store")
    return 0


if __name__ == "__main__":
    sys.exit(main())
