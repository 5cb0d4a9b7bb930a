"""A member's VPS that mounts an export, and what it says it moved."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from topology import GATEWAY, Keeper

if TYPE_CHECKING:
    from exportfs import Server


@dataclass(frozen=True, slots=True)
class Moved:
    """READ and WRITE payload over the wire and operations, as a client's own mountstats counts them."""

    read_bytes: int = 0
    written_bytes: int = 0
    operations: int = 0

    @classmethod
    def parse(cls, entry: str) -> Moved:
        """From one device's entry of /proc/<pid>/mountstats."""
        moved = re.search(r"^\s*bytes:\s+(.*)$", entry, re.MULTILINE)
        assert moved is not None
        fields = moved[1].split()
        calls = re.findall(r"^\s+[A-Z_0-9]+: (\d+) \d+ \d+ \d+", entry, re.MULTILINE)
        return cls(int(fields[4]), int(fields[5]), sum(map(int, calls)))

    def __add__(self, other: Moved) -> Moved:
        return Moved(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: Moved) -> Moved:
        return Moved(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))


class Vps(Keeper):
    """A member's VPS: its own namespaces and address, one mount on /mnt."""

    def __init__(self, router: Keeper, number: int) -> None:
        super().__init__()
        self.number, self.address = number, f"172.16.8.{number}"
        self._unmounted = Moved()
        self.mounted = False
        router.sh(
            f"ip link add vps{number} type veth peer name eth0 netns {self.pid}; ip link set vps{number} up;"
            f"ip route add {self.address}/32 dev vps{number}"
        )
        self.sh(
            f"hostname vps{number}; ip link set lo up; ip link set eth0 up; ip addr add {self.address}/32 dev eth0;"
            f"ip route add {GATEWAY} dev eth0; ip route add default via {GATEWAY} dev eth0"
        )

    def watch_sockets(self, file: Path) -> None:
        """From now on keep in `file` what this VPS's kernel counts of its connections to servers (sockets.py)."""
        script = Path(__file__).resolve().with_name("sockets.py")
        self._watcher = subprocess.Popen(
            self.argv(sys.executable, str(script), str(file)), stdout=subprocess.PIPE, text=True
        )
        assert self._watcher.stdout is not None
        if self._watcher.stdout.readline() != "up\n":
            raise RuntimeError(f"vps{self.number}: its connections cannot be watched")

    def connected(self) -> int:
        """How many connections to servers it has."""
        return len(self.sh("ss -Htn dport = :2049").splitlines())

    def drop_connections(self) -> None:
        """End all of them by a reset, as a firewall might."""
        self.sh("ss -K dport = :2049")

    def unplug(self) -> None:
        """Nothing of it reaches anybody any more, nor does it hear anything."""
        self.sh("ip link set eth0 down")

    def end_watch(self) -> None:
        """Have the file completed."""
        self._watcher.terminate()
        if status := self._watcher.wait(60):
            raise RuntimeError(f"vps{self.number}: watching its connections ended with status {status}")

    def mount(self, server: Server, version: str) -> None:
        """Mount the server's export on /mnt by NFSv3 or 4.2; tried again for 30 s."""
        # its own view of /sys: the entry belongs to the network namespace that mounts it. Without an identifier two
        # clients of one host name share an identity and keep destroying each other's sessions
        if not self.mounted and not self._unmounted.operations:
            self.sh(f"mount -t sysfs sysfs /sys; echo vps{self.number} > /sys/fs/nfs/net/nfs_client/identifier")
        options = "vers=3,nolock,proto=tcp" if version == "3" else f"vers={version},proto=tcp"
        deadline = time.monotonic() + 30
        while True:
            try:
                self.sh(f"mount -t nfs -o {options} {server.address}:{server.export.path} /mnt")
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
            else:
                self.mounted = True
                return

    def unmount(self) -> None:
        """Write everything back and unmount; what was moved stays in `moved`."""
        self.sh("sync /mnt")
        self._unmounted = self.moved()
        self.mounted = False
        self.sh("umount /mnt")

    def moved(self) -> Moved:
        """What this VPS moved over all its mounts."""
        if not self.mounted:
            return self._unmounted
        text = Path(f"/proc/{self.pid}/mountstats").read_text("utf-8")
        entry = text[text.index(" mounted on /mnt ") :]
        return self._unmounted + Moved.parse(entry.split("\ndevice ")[0])

    def operations(self) -> dict[str, dict[str, int]]:
        """By operation, how often the mount asked for it, and the ms from sending calls to their answers."""
        text = Path(f"/proc/{self.pid}/mountstats").read_text("utf-8")
        entry = text[text.index(" mounted on /mnt ") :].split("\ndevice ")[0]
        lines = re.findall(r"^\s+([A-Z_0-9]+): (\d+) \d+ \d+ \d+ \d+ \d+ (\d+)", entry, re.MULTILINE)
        return {name.lower(): {"calls": int(calls), "rtt_ms": int(rtt)} for name, calls, rtt in lines if int(calls)}
