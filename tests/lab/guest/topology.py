"""The NAS, its uplink and the router behind it: namespaces in the lab's guest.

The guest's first namespaces are the NAS. Its only uplink, `eth0`, leads to a router namespace, behind which each VPS
has namespaces of its own (vps.py). Each NFS server has too (exportfs.py), as osctl-exportfs makes them.

    VPS eth0 <-> vps<id> [router] uplink <-> eth0 [NAS] nfs-<name> <-> eth0 server
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STATE = Path("/run/osctl/exportfs")
POOL = Path("/storage/nas")
GATEWAY = "255.255.255.254"
NAS, ROUTER = "172.16.0.1", "172.16.0.2"
VPS_NET = "172.16.8.0/24"


def run(*argv: str, check: bool = True) -> str:
    """What the program printed, both channels; RuntimeError with it when it failed."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stdout}")
    return done.stdout


def lines(text: str) -> None:
    """Run the commands of `text`, one a line, each of which must succeed."""
    for line in filter(None, map(str.strip, text.splitlines())):
        run(*line.split())


class Space:
    """Namespaces kept by one process, `pid` as the NAS sees it."""

    pid: int

    def argv(self, *argv: str) -> list[str]:
        """The argument list that runs `argv` inside."""
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-u", *argv]

    def sh(self, command: str, check: bool = True) -> str:
        """Run a shell command inside; what it printed."""
        return run(*self.argv("sh", "-c", command), check=check)

    def spawn(self, command: str) -> subprocess.Popen[str]:
        """Start a shell command inside, its output to a pipe."""
        return subprocess.Popen(
            self.argv("sh", "-c", command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )


class Keeper(Space):
    """Mount, network and UTS namespaces kept by a sleeping process."""

    def __init__(self) -> None:
        argv = ["unshare", "--mount", "--net", "--uts", "--propagation", "private"]
        self._process = subprocess.Popen([*argv, "sh", "-c", "echo up; exec sleep infinity"], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()
        self.pid = self._process.pid


def ext4(disk: str) -> None:
    """The pool as one file system of ext4."""
    run("mkfs.ext4", "-q", "-F", "-i", "262144", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk)
    run("mount", disk, str(POOL))


def prepare(disk: str = "/dev/disk/lab/nas", pool: Callable[[str], None] = ext4) -> Keeper:
    """Load modules, make the pool on the disk, the state directories and the router; gives back the router."""
    for module in ("nfsd", "nfs", "nfsv4", "nfsv3", "veth", "dummy", "tcp_diag", "inet_diag"):
        run("modprobe", module, check=False)
    POOL.mkdir(parents=True)
    pool(disk)
    for folder in ("rootfs", "runsvdir", "servers"):
        (STATE / folder).mkdir(parents=True)
    STATE.chmod(0o750)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", "utf-8")
    router = Keeper()
    lines(f"""
        ip link add osrtr0 type dummy
        ip addr add {GATEWAY}/32 dev osrtr0
        ip link set osrtr0 up
        ip link add eth0 type veth peer name uplink netns {router.pid}
        ip addr add {NAS}/24 dev eth0
        ip link set eth0 up
    """)
    router.sh(
        f"ip link set lo up; ip addr add {GATEWAY}/32 dev lo; ip addr add {ROUTER}/24 dev uplink;"
        f"ip link set uplink up; ip route add default via {NAS}; echo 1 > /proc/sys/net/ipv4/ip_forward"
    )
    run("ip", "route", "add", VPS_NET, "via", ROUTER)
    return router
