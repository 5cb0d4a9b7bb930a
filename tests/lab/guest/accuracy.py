"""Drive known loads at three NFS servers while `nasacct collect` watches; leave its store and the truth behind.

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

from exportfs import Export, Server
from topology import Keeper, prepare
from vps import Moved, Vps
from watchers import Collector, Nobody

OUT = Path(os.environ["LAB_OUT"])
STORE = Path("/lab/store")
MIB = 1 << 20
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


def lay_out(router: Keeper) -> tuple[dict[str, Server], dict[str, list[tuple[Vps, str]]]]:
    """Servers 101 (two VPSes, one on each version) and 102 (NFSv3); and who mounts what, 103 included."""
    clients = {
        "101": [(Vps(router, 21), "4.2"), (Vps(router, 22), "3")],
        "102": [(Vps(router, 23), "3")],
        "103": [(Vps(router, 24), "4.2")],
    }
    return {name: serve(name, clients[name]) for name in ("101", "102")}, clients


def serve(name: str, clients: list[tuple[Vps, str]]) -> Server:
    """One server with the export of one member, and its mounts."""
    number = int(name)
    export = Export(str(900 + number), tuple(f"{vps.address}/32" for vps, _ in clients))
    server = Server(name, f"172.16.128.{number}", export)
    for vps, version in clients:
        vps.mount(server, version)
    return server


def load(vps: Vps, *commands: str) -> None:
    """Run the commands in the VPS, one after the other."""
    for command in commands:
        began = time.monotonic()
        vps.sh(command)
        say(f"vps{vps.number}: {command.split(' bs=')[0]} took {time.monotonic() - began:.1f} s")


def main() -> int:
    """The whole run; exit status 0 when it went to its end, whatever the numbers are."""
    router = prepare()
    servers, clients = lay_out(router)
    say("two servers up and mounted")
    watch = Collector(CONFIG, STORE) if Collector.possible() else Nobody()
    lives: dict[str, list[dict[str, int]]] = {name: [] for name in clients}

    def ends(name: str) -> None:
        read_bytes, written_bytes = servers[name].io()
        lives[name].append({"read_bytes": read_bytes, "written_bytes": written_bytes, **servers[name].link()})

    try:
        watch.cycles(2)
        say("the collector has its baseline")
        load(clients["101"][0][0], write(52), read(52))
        load(clients["101"][1][0], write(8), read(8))
        servers["103"] = serve("103", clients["103"])
        say("a third server was born under the collector's eyes")
        load(clients["102"][0][0], write(52), read(52))
        touch = "for i in 1 2 3 4; do touch /mnt/f$i; done; ls -l /mnt"
        load(clients["103"][0][0], write(3, block_kib=4), read(3), touch)

        for vps, _ in clients["101"]:
            vps.unmount()
        watch.cycles(2)
        ends("101")
        servers["101"].restart()
        for vps, version in clients["101"]:
            vps.mount(servers["101"], version)
        say("101 restarted, its clients are back")
        load(clients["101"][0][0], write(5), read(7))
        load(clients["101"][1][0], write(3), read(2))

        watch.cycles(2)
        ends("102")
        servers["102"].restart()
        load(clients["102"][0][0], write(4, "more"), read(6))
        say("102 restarted under its idle NFSv3 mount")
        watch.cycles(2)
    finally:
        status = watch.end()
    say("the collector ended")
    for name in servers:
        ends(name)
    truth = {
        "servers": {
            name: {
                "moved": asdict(sum((vps.moved() for vps, _ in clients[name]), Moved())),
                "clients": {f"vps{vps.number}": {"version": v, **asdict(vps.moved())} for vps, v in clients[name]},
                "lives": lives[name],
            }
            for name in servers
        },
        "collector_status": status,
        "kernel": os.uname().release,
    }
    (OUT / "truth.json").write_text(json.dumps(truth, indent=1), "utf-8")
    if STORE.exists():
        shutil.copytree(STORE, OUT / "store")
    return 0


if __name__ == "__main__":
    sys.exit(main())
