"""A whole NAS by plan: which servers there are, whose dataset each shows, and which VPSes mount it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exportfs import Export, Server
from topology import ext4, prepare
from vps import Moved, Vps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Plan:
    """One server to be: the dataset (its first part is the member) and the version of NFS each VPS mounts it by."""

    dataset: str
    mounts: Mapping[int, str]

    @property
    def member(self) -> str:
        """Whose dataset it is."""
        return self.dataset.split("/")[0]


class Nas:
    """The router and all VPSes of the plan at once; its servers as they are started."""

    def __init__(self, plan: Mapping[str, Plan], pool: Callable[[str], None] = ext4) -> None:
        router = prepare(pool=pool)
        self.plan = plan
        self.servers: dict[str, Server] = {}
        self.vps = {number: Vps(router, number) for entry in plan.values() for number in entry.mounts}
        #: the kernel's counters of every life of each server, at its end
        self.lives: dict[str, list[dict[str, int]]] = {name: [] for name in plan}

    def start(self, *names: str) -> None:
        """Make these servers; nothing is mounted yet."""
        for name in names:
            hosts = tuple(f"{self.vps[number].address}/32" for number in self.plan[name].mounts)
            export = Export(self.plan[name].dataset, hosts)
            self.servers[name] = Server(name, f"172.16.128.{int(name)}", export)

    def mount(self, *names: str) -> None:
        """Let the VPSes of these servers mount them."""
        for name in names:
            for number, version in self.plan[name].mounts.items():
                self.vps[number].mount(self.servers[name], version)

    def unmount(self, name: str) -> None:
        """Let the VPSes of a server write everything back and unmount it."""
        for number in self.plan[name].mounts:
            self.vps[number].unmount()

    def restart(self, name: str) -> None:
        """A new life of the server, whatever its clients do."""
        self.note_life(name)
        self.servers[name].restart()

    def note_life(self, name: str) -> None:
        """Keep what the kernel counted in this life so far."""
        read_bytes, written_bytes = self.servers[name].io()
        self.lives[name].append({"read_bytes": read_bytes, "written_bytes": written_bytes, **self.servers[name].link()})

    def moved(self) -> dict[int, Moved]:
        """What every VPS moved so far."""
        return {number: vps.moved() for number, vps in self.vps.items()}
