"""The recorder: what a collector would read here, as raw text in a recording."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasacct import __version__
from nasacct.collect import logs, namespaces, recording
from nasacct.collect.links import bond, hardware
from nasacct.collect.live import Live
from nasacct.collect.loop import Loop
from nasacct.collect.observer import Observer
from nasacct.collect.recorded import FAILED, HOST_FILES, server_out
from nasacct.collect.topology import topology

if TYPE_CHECKING:
    from nasacct.collect.events import LinkEnded
    from nasacct.collect.machine import Listing, Server
    from nasacct.config import Config


def record(config: Config, path: Path, for_s: float | None = None) -> int:
    """Record into `path` until SIGTERM, or for so long; gives back how many lines were written.

    Raises NasacctError when the file exists or cannot be made.
    """
    logs.begin()
    file = recording.RecordingFile(path)
    try:
        with Recorder(config, Live(config), file) as recorder:
            Loop(config.interval_s, recorder.tick, recorder.watch, recorder.changed).run(for_s)
    finally:
        file.close()
    return file.lines


class Recorder(Observer):
    """Writes a static line at the start and whenever it changed, a line a cycle, and a line for every end."""

    def __init__(self, config: Config, machine: Live, file: recording.RecordingFile) -> None:
        super().__init__(config, machine)
        self.file = file
        # what a configuration and a machine are does not change while they are recorded
        self._fixed = {
            "recording": recording.VERSION,
            "nasacct": __version__,
            "node": config.node,
            "boot_id": machine.boot_id,
            "kernel": machine.kernel,
            "interval_s": config.interval_s,
            "config": config.model_dump(mode="json", exclude={"root"}),
        }
        self._began = time.monotonic()
        self._cycles = 0
        self._static: dict[str, Any] = {}
        self._cookies: dict[str, str | None] = {}

    def cycle(self, listing: Listing) -> None:
        """The raw texts of one cycle."""
        self._write_static(listing)
        times, began = self._times(), time.monotonic()
        host = self._host()
        servers = {s.name: {"t": self._t(), "rpc_nfsd": self._nfsd(s)} for s in listing.servers}
        took = round(time.monotonic() - began, 6)
        self.file.write({"n": self._cycles, **times, "host": host, "servers": servers, "took": took})
        self._cycles += 1

    def server_ended(self, server: Server) -> None:
        """The server's last text; read before anything else, for it lives only as long as the namespace."""
        text = self._nfsd(server)
        about = {"server": server.name, **server_out(server), "rpc_nfsd": text}
        self.file.write({"event": "server_ended", **self._times(), **about})

    def link_ended(self, event: LinkEnded) -> None:
        """The link's last bytes."""
        self.file.write({"event": "link_ended", **self._times(), **event.recorded(self.machine.boot_id)})

    def _write_static(self, listing: Listing) -> None:
        links = self.machine.links()
        static = {
            **self._fixed,
            "complete": listing.complete_at(self.machine.now()),
            "servers": {s.name: {**server_out(s), "cookie": self._cookie(s)} for s in listing.servers},
            "links": dict(zip(links.names, links.epochs, strict=True)),
            "physical": [
                path for name in links.names for path in (hardware(name), bond(name)) if self._file(path) is not None
            ],
            "disks": [
                {
                    "device": d.device,
                    "identity": d.identity,
                    "epoch": d.epoch,
                    "rotational": d.rotational,
                    "about": d.about,
                }
                for d in self.machine.disks()
            ],
            "topology": topology(),
            "mountinfo": Path("/proc/self/mountinfo").read_text(errors="replace"),
        }
        if static != self._static:
            self._static = static
            self.file.write({"static": static, **self._times()})

    def _host(self) -> dict[str, str]:
        names = {**{key: path for path, key in HOST_FILES.items()}, "net_dev": "proc/net/dev"}
        return {key: text for key, path in names.items() if (text := self._file(path)) is not None}

    def _cookie(self, server: Server) -> str | None:
        """The identity of the server's namespace, asked for once; None where this process may not enter it."""
        if server.epoch not in self._cookies:
            path = server.namespace or (f"/proc/{server.pid}/ns/net" if server.pid else "")
            try:
                self._cookies[server.epoch] = namespaces.inside(path, namespaces.life)
            except OSError:
                self._cookies[server.epoch] = None
        return self._cookies[server.epoch]

    def _file(self, path: str) -> str | None:
        try:
            return self.machine.file(path).decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except OSError as err:
            return f"{FAILED}{err.strerror}"

    def _nfsd(self, server: Server) -> str:
        try:
            return self.machine.nfsd(server).decode("utf-8", "replace")
        except OSError as err:
            return f"{FAILED}{err.strerror}"

    def _times(self) -> dict[str, float | int]:
        at = self.machine.now()
        return {"t": self._t(), "wall": round(at.wall_ns / 1e9, 6), "boot_ns": at.boot_ns}

    def _t(self) -> float:
        return round(time.monotonic() - self._began, 6)
