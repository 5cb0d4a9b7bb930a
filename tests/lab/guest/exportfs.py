"""NFS servers as vpsAdminOS's osctl-exportfs makes them.

To the NAS a server looks as it does there: a directory below /run/osctl/exportfs/servers with config.yml, exports and
pid, mount, UTS, IPC, PID and network namespaces without a name, a veth `nfs-<name>` with a /32 behind it. Its init
mounts nfsd and starts rpcbind, nfsd and mountd; at its end it stops them.
"""

from __future__ import annotations

import re
import secrets
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from topology import GATEWAY, POOL, STATE, Space, lines, run

#: What a server's init does: $1 name, $2 address, $3 threads, $4 its directory, the rest pairs of directory and path.
INIT = r"""
set -e
name=$1 address=$2 threads=$3 home=$4; shift 4
echo born; read -r _
while [ $# -gt 0 ]; do mkdir -p "$2"; mount --bind "$1" "$2"; shift 2; done
mount --bind "$home/state" /var/lib/nfs
mount --bind "$home/exports" /etc/exports
mount -t tmpfs -o mode=755 run /run; mkdir -p /run/rpcbind /run/lock
hostname "nfs-$name"  # nfsd tells clients this name: two servers of one name look like one server to a client
ip link set lo up; ip link set "nfsns-$name" name eth0; ip link set eth0 up; ip addr add "$address/32" dev eth0
ip route add GATEWAY dev eth0; ip route add default via GATEWAY dev eth0
mount -t nfsd nfsd /proc/fs/nfsd; mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
rpcbind
# the least there is; else every OPEN waits out 90 s after a start. It can be set only while nfsd is down
echo 10 > /proc/fs/nfsd/nfsv4leasetime; echo 10 > /proc/fs/nfsd/nfsv4gracetime
exportfs -ra
rpc.nfsd "$threads"
rpc.mountd -p 20048
echo up; read -r _
exportfs -ua; rpc.nfsd 0; exportfs -f
""".replace("GATEWAY", GATEWAY)


@dataclass(frozen=True, slots=True)
class Export:
    """One directory of the pool shown to some hosts: `dataset` is 1001 or 1001/photos."""

    dataset: str
    hosts: tuple[str, ...]

    @property
    def directory(self) -> Path:
        """Where the dataset's files are on the NAS."""
        return POOL / self.dataset / "private"

    @property
    def path(self) -> str:
        """The path clients mount."""
        return f"/export/{self.dataset}"

    @property
    def options(self) -> str:
        """As vpsAdmin writes them."""
        fsid = uuid.uuid5(uuid.NAMESPACE_URL, self.path)
        return f"fsid={fsid},rw,sync,no_subtree_check,no_root_squash"


class Server(Space):
    """One osctl-exportfs server: started, stopped and restarted like there, each life in namespaces of its own."""

    def __init__(self, name: str, address: str, export: Export, threads: int = 8) -> None:
        self.name, self.address, self.export, self.threads = name, address, export, threads
        self.home = STATE / "servers" / name
        self.lives = 0
        for folder in ("runsv", "shared", "state/rpc_pipefs", "state/v4recovery", "state/sm", "state/sm.bak"):
            (self.home / folder).mkdir(parents=True)
        for file in ("state/etab", "state/rmtab", "lock"):
            (self.home / file).touch()
        export.directory.mkdir(parents=True, exist_ok=True)
        (self.home / "runsv/run").write_text(f"#!/bin/sh\nexec osctl-exportfs server spawn {name}\n", "utf-8")
        (self.home / "config.yml").write_text(self._config(), "utf-8")
        rows = (f"{export.path} {host}({export.options})\n" for host in export.hosts)
        (self.home / "exports").write_text("".join(rows), "utf-8")
        self.start()

    def _config(self) -> str:
        """The server's database, the keys and their order as osctl-exportfs dumps them."""
        rows = "".join(
            f'- dir: "{self.export.directory}"\n  as: "{self.export.path}"\n'
            f"  host: {host}\n  options: {self.export.options}\n"
            for host in self.export.hosts
        )
        return (
            f"---\naddress: {self.address}\nnetif:\nnfsd:\n  port:\n  nproc: {self.threads}\n"
            "  tcp: true\n  udp: false\n"
            "  versions:\n  - '3'\n  - '4'\n  - '4.0'\n  - '4.1'\n  - '4.2'\n"
            f"  syslog: false\nmountd_port:\nlockd_port:\nstatd_port:\nexports:\n{rows}"
        )

    def start(self) -> None:
        """A new life: network namespace, veth, the other namespaces, init, pid file; returns when nfsd serves."""
        (STATE / "runsvdir" / self.name).symlink_to(f"../servers/{self.name}/runsv")
        hexed, link = secrets.token_hex(3), f"nfs-{self.name}"
        lines(f"""
            ip netns add {hexed}
            ip link add {link} type veth peer name nfsns-{self.name}
            ip link set nfsns-{self.name} netns {hexed}
            ip link set {link} up
            ip route add {self.address}/32 dev {link}
        """)
        unshare = "unshare --mount --uts --ipc --pid --fork --mount-proc --propagation private"
        self._spawn = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{hexed}", "sh", "-c", f'echo in; read -r _; exec {unshare} sh -c "$0" "$@"',
             INIT, "init", self.name, self.address, str(self.threads), str(self.home),
             str(self.export.directory), self.export.path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._expect("in")
        run("umount", f"/run/netns/{hexed}")
        Path("/run/netns", hexed).unlink()
        self._tell()
        self._expect("born")
        children = Path(f"/proc/{self._spawn.pid}/task/{self._spawn.pid}/children").read_text("utf-8")
        self.pid = int(children)
        (self.home / "pid").write_text(str(self.pid), "utf-8")
        self._tell()
        self._expect("up")
        self.lives += 1

    def _tell(self) -> None:
        assert self._spawn.stdin is not None
        self._spawn.stdin.write("\n")
        self._spawn.stdin.flush()

    def _expect(self, word: str) -> None:
        assert self._spawn.stdout is not None
        said = self._spawn.stdout.readline().strip()
        if said != word:
            raise RuntimeError(f"server {self.name}: waited for {word!r}, heard {said!r}")

    def stop(self) -> None:
        """Stop nfsd; init ends (and with it all in its pid namespace), the pid file goes, then the veth."""
        (STATE / "runsvdir" / self.name).unlink()
        self._tell()
        if status := self._spawn.wait():
            raise RuntimeError(f"server {self.name}: its init ended with status {status}")
        (self.home / "pid").unlink()
        run("ip", "link", "del", f"nfs-{self.name}", check=False)  # goes by itself once the namespace is gone

    def restart(self) -> None:
        """As `osctl-exportfs server restart`: stop, a second, start."""
        self.stop()
        time.sleep(1)
        self.start()

    def io(self) -> tuple[int, int]:
        """Bytes read and written of this life, as the kernel counts them."""
        text = Path(f"/proc/{self.pid}/net/rpc/nfsd").read_text("utf-8")
        found = re.search(r"^io (\d+) (\d+)$", text, re.MULTILINE)
        assert found is not None
        return int(found[1]), int(found[2])

    def calls(self) -> int:
        """Calls answered in this life, as the kernel counts them by what its reply cache did."""
        text = Path(f"/proc/{self.pid}/net/rpc/nfsd").read_text("utf-8")
        found = re.search(r"^rc (\d+) (\d+) (\d+)", text, re.MULTILINE)
        assert found is not None
        return sum(map(int, found.groups()))

    def link(self) -> dict[str, int]:
        """Bytes on the NAS's end of the veth in this life: rx_bytes is what the server sent."""
        folder = Path(f"/sys/class/net/nfs-{self.name}/statistics")
        return {name: int((folder / name).read_text("utf-8")) for name in ("rx_bytes", "tx_bytes")}
