"""What is played to be recorded with its truth: who saturates the disk, how, and who is there at the time.

All the time every member has a day of small things (load.py). After HISTORY_S of that the loads of a plot begin; each
of them lasts until LOAD_S after that.
"""

from __future__ import annotations

from dataclasses import dataclass

from nas import Plan

HISTORY_S, LOAD_S, AFTER_S = 130, 110, 10
#: The members, one server and one VPS each; of the fourth NFSv3.
PLAN = {f"10{n}": Plan(f"100{n}", {20 + n: "3" if n == 4 else "4.2"}) for n in range(1, 7)}
LOCAL = "local"
#: What each member has for a day, what loads need, and how large each file is.
DAILY = "small"
NEEDS = {
    "random reads": ("big",),
    "reads from memory": ("hot",),
    "synced writes": ("wal",),
    "bulk write": ("dump0", "dump1"),
}
MIB = {DAILY: 24, "big": 480, "hot": 8, "wal": 96, "dump0": 64, "dump1": 64}
#: How somebody used the disk, as `why` tells it.
HOW = {
    "random reads": "random_read",
    "synced writes": "sync_write",
    "metadata": "metadata",
    "bulk write": "bulk_write",
}
#: Whose files a job on the NAS itself reads, and which.
READ_BY_JOBS = {"tar": ("102", "big")}


@dataclass(frozen=True, slots=True)
class Load:
    """What one server's client does, a kind of load.py; or, where `who` is LOCAL, the NAS itself, a job of jobs.py."""

    who: str
    what: str
    guilty: bool = True
    after_s: int = 0  #: begins so much later than the first


@dataclass(frozen=True, slots=True)
class Plot:
    """One trace: its name, in words what happens, on which file system, and the loads."""

    name: str
    words: str
    filesystem: str
    loads: tuple[Load, ...]

    @property
    def files(self) -> set[tuple[str, str]]:
        """Which files it takes: (server, name)."""
        found = {(load.who, name) for load in self.loads for name in NEEDS.get(load.what, ())}
        return found | {READ_BY_JOBS[load.what] for load in self.loads if load.what in READ_BY_JOBS}

    @property
    def culprits(self) -> list[str]:
        """Who caused it, as `why` names them."""
        return sorted({_entity(load.who) for load in self.loads if load.guilty})

    @property
    def how(self) -> dict[str, str]:
        """By member that caused it, how."""
        return {_entity(load.who): HOW[load.what] for load in self.loads if load.guilty and load.who != LOCAL}

    @property
    def verdict(self) -> str:
        """Members, local, or mixed."""
        kinds = {"local" if each == LOCAL else "members" for each in self.culprits}
        return kinds.pop() if len(kinds) == 1 else "mixed"


def _entity(who: str) -> str:
    return who if who == LOCAL else f"server:{who}"


PLOTS = (
    Plot("ext4-random-reader", "random reads of a file that is not in memory", "ext4", (Load("102", "random reads"),)),
    Plot("ext4-fsync-writer", "small writes, each of which is synced", "ext4", (Load("103", "synced writes"),)),
    Plot("ext4-metadata-storm", "files made, renamed and removed", "ext4", (Load("105", "metadata"),)),
    Plot("ext4-local-process", "tar of a member's files on the NAS itself", "ext4", (Load(LOCAL, "tar"),)),
    Plot(
        "ext4-cached-beside-cold",
        "two who begin to read at once, one of them what is in memory",
        "ext4",
        (Load("102", "random reads"), Load("105", "reads from memory", guilty=False)),
    ),
    Plot(
        "ext4-two-culprits",
        "random reads and synced writes of two members, the second 15 s later",
        "ext4",
        (Load("102", "random reads"), Load("103", "synced writes", after_s=15)),
    ),
    Plot("ext4-nfsv3", "random reads by NFSv3", "ext4", (Load("104", "random reads"),)),
    Plot("zfs-bulk-writer", "much written, one block after the other", "zfs", (Load("103", "bulk write"),)),
    Plot("zfs-cold-reader", "random reads of a file that is not in memory", "zfs", (Load("102", "random reads"),)),
    Plot("zfs-recv", "backups received on the NAS", "zfs", (Load(LOCAL, "zfs recv"),)),
    Plot(
        "zfs-scrub-cached-reader",
        "a scrub, and a member who begins to read at once what is in memory",
        "zfs",
        (Load(LOCAL, "scrub"), Load("105", "reads from memory", guilty=False)),
    ),
)
