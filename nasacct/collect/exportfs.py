"""Discovery of osctl-exportfs servers: directories below `<state>/servers` whose pid file names a live process.

    servers/<name>/config.yml    the database (exportfs_config.py)
    servers/<name>/pid           the pid, on the host, of the container's init; absent or empty: the server is stopped

osctl-exportfs itself believes any pid file that is not empty. Here the process must live, must not have begun after
the file was written, and must not be in this process's own network namespace: else the pid has been used again.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from nasacct.collect import process
from nasacct.collect.exportfs_config import LIMIT_BYTES, ConfigTroubleError, ServerConfig, parse, printable
from nasacct.collect.machine import Listing, Server

#: Where osctl-exportfs keeps its state.
STATE = "/run/osctl/exportfs"
#: A process that began so long after its pid file was written is another one. The clocks compared are exact to 1 s.
SLACK_S = 2.0
#: A file changed so recently may change again within the same time stamp.
_FRESH_NS = 100_000_000
#: The largest pid there can be (PID_MAX_LIMIT, include/linux/threads.h).
_PID_MAX = 1 << 22

_GONE = (FileNotFoundError, NotADirectoryError)
Stamp = tuple[int, int, int]
#: The stamp of a pid file, the pid in it and when that process began, in ticks.
_Life = tuple[Stamp, int, int]


@dataclass(slots=True)
class _Known:
    """What was read of a server: files by their stamps, the life that was found good, and how it was listed last."""

    config_stamp: Stamp | None = None
    config: ServerConfig = field(default_factory=ServerConfig)
    config_note: str = ""
    good: _Life | None = None
    server: Server | None = None


class Exportfs:
    """Lists the servers of one state directory; `proc` is where /proc is, for tests."""

    def __init__(self, boot_id: str, state: Path | str = STATE, proc: str = "/proc") -> None:
        self._boot_id, self._proc = boot_id, proc
        self.folder = Path(state) / "servers"
        self._known: dict[str, _Known] = {}
        self._notes: list[str] = []
        self._complete = True

    def read(self) -> Listing:
        """All servers that live now. Never raises: what cannot be read makes the listing incomplete, with a note."""
        self._notes, self._complete = [], True
        try:
            names = sorted(path.name for path in self.folder.iterdir())
        except _GONE:
            names = []
        except OSError as err:
            self._doubt(f"the servers in {self.folder} cannot be listed ({_why(err)})")
            return Listing((), complete=False, notes=tuple(self._notes))
        self._known = {name: self._known.get(name) or _Known() for name in names}
        found = [server for name in names if (server := self._server(name)) is not None]
        return Listing(tuple(found), self._complete, tuple(self._notes))

    def _doubt(self, note: str) -> None:
        self._complete = False
        self._notes.append(note)

    def _server(self, name: str) -> Server | None:
        try:
            return self._listed(name)
        except OSError as err:
            self._doubt(f"server {printable(name)} may live but cannot be examined ({_why(err)})")
            return None

    def _listed(self, name: str) -> Server | None:
        known, shown = self._known[name], printable(name)
        stated = self._pid(name, shown)
        if stated is None:
            return None
        pid, stamp = stated
        started = process.started(self._proc, pid)
        if started is None:
            self._notes.append(f"server {shown} has ended: its pid file names {pid}, which is no live process")
            return None
        if known.good != (stamp, pid, started):
            trouble = self._used_again(name, pid, started, stamp, known.good)
            if trouble:
                self._notes.append(f"server {shown} has ended: its pid {pid} {trouble}")
                return None
            if known.good is None or known.good[1:] != (pid, started):
                # what an earlier life's configuration said is no fallback for this one
                known.config_stamp, known.config, known.config_note = None, ServerConfig(), ""
            known.good, known.server = (stamp, pid, started), None
        self._read_config(name, shown, known)
        if known.config_note:
            self._notes.append(known.config_note)
        if known.server is None:
            known.server = self._as_listed(shown, pid, started, known.config)
        return known.server

    def _as_listed(self, shown: str, pid: int, started: int, config: ServerConfig) -> Server:
        return Server(
            shown,
            f"{self._boot_id}/{pid}.{started}",
            pid=pid,
            link=config.netif or f"nfs-{shown}",
            namespace=f"{self._proc}/{pid}/ns/net",
            address=config.address,
            exports=config.exports,
            about={
                "found": "exportfs",
                "netns": process.namespace(self._proc, pid),
                "born_ns": process.born_ns(started),
                "born_boot_ns": process.born_boot_ns(started),
                "threads": config.threads,
            },
        )

    def _pid(self, name: str, shown: str) -> tuple[int, Stamp] | None:
        """The pid that the server's pid file states, and the file's stamp; None when the server is stopped."""
        try:
            fd = os.open(f"{self.folder}/{name}/pid", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except _GONE:
            return None
        try:
            text, stamp = os.read(fd, 64).strip(), _stamp(os.fstat(fd))
        finally:
            os.close(fd)
        if not text:
            return None
        if not text.isdigit() or not 0 < int(text) <= _PID_MAX:
            self._doubt(f"server {shown} may live: its pid file holds {printable(repr(text)[2:-1])}, which is no pid")
            return None
        return int(text), stamp

    def _used_again(self, name: str, pid: int, started: int, stamp: Stamp, good: _Life | None) -> str:
        """Why the process is not the server's, "" when it is; `good` is the last one that was."""
        if good is not None and good[:2] == (stamp, pid):
            return "belongs to another process than when the same pid file was first read"
        own = process.namespace(self._proc, "self")
        if own is not None and own == process.namespace(self._proc, pid):
            return "is in the host's own network namespace"
        written_s = stamp[1] / 1e9
        if process.born_wall_s(self._proc, started) <= written_s + SLACK_S:
            return ""
        # a clock that was set forward since makes every process look younger; the control group does not lie
        if process.in_cgroup(self._proc, pid, f"exportfs/server/{name}/"):
            return ""
        return "belongs to a process that began after the pid file was written"

    def _read_config(self, name: str, shown: str, known: _Known) -> None:
        """Parse the configuration anew if its file changed; what was known stays when it cannot be understood."""
        path = self.folder / name / "config.yml"
        try:
            stamp = _stamp(path.stat())
            if stamp == known.config_stamp:
                return
            data = process.content(str(path), LIMIT_BYTES + 1)
        except OSError as err:
            known.config_stamp = None
            known.config_note = f"server {shown}: {path} cannot be read ({_why(err)}); what was known before is assumed"
            return
        known.server = None
        fresh = time.time_ns() - stamp[1] < _FRESH_NS
        known.config_stamp, known.config_note = None if fresh else stamp, ""
        try:
            known.config = parse(data)
        except ConfigTroubleError as err:
            known.config_note = f"server {shown}: {path} is not understood ({err}); what was known before is assumed"
        else:
            if known.config.passed_over:
                known.config_note = f"server {shown}: {path} has {known.config.passed_over} of an unknown kind"


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _why(err: OSError) -> str:
    return (err.strerror or str(err)).lower()
