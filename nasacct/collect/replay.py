"""Replay: a recording goes through the same sources, sampler and journal as a live machine, as fast as it can."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nasacct.collect import recording
from nasacct.collect.recorded import Recorded, server_in
from nasacct.collect.sampler import Sampler
from nasacct.collect.sources import Finals, build
from nasacct.config.tables import NODE_NAME
from nasacct.errors import CANT_CREATE, DATA, IO, NasacctError
from nasacct.store import journal, root
from nasacct.store.journal_writer import JournalWriter
from nasacct.store.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from nasacct.config import Config
    from nasacct.store.frame import Frame

#: Frames that may wait for the disk before the recording is read on; far below where the writer would merge them.
AHEAD = 200


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: cycles and servers seen, and the span of wall time in ns."""

    node: str
    cycles: int
    servers: int
    first_ns: int
    last_ns: int


def replay(path: Path, config: Config, *, node: str | None = None) -> Replayed:
    """Play the recording into the store `config.root`, under the recording's node or the given one.

    Raises NasacctError when the recording is none, or the store already holds that node: what was counted once is
    not counted again.
    """
    first = _checked(path)
    name = node or _node(path, first)
    if not re.fullmatch(NODE_NAME, name):
        raise NasacctError(f"{name!r} cannot name a node (letters, digits, . _ -); give another with --node", DATA)
    root.prepare(config.root, volatile=True, reader_group=config.reader_group, parents=True)
    with root.lock(config.root, name, "collect"):
        folder = config.root / f"node={name}" / "journal"
        if folder.is_dir() and any(folder.iterdir()):
            raise NasacctError(
                f"{config.root} holds readings of {name} already; replay into another --root, or under another --node",
                CANT_CREATE,
            )
        folder.mkdir(mode=0o750, exist_ok=True)
        return _play(recording.read(path), Recorded(_digest(path), name), config, folder)


def _checked(path: Path) -> dict[str, Any]:
    """The first line, after a look at all: a recording is replayed whole or not at all."""
    first: dict[str, Any] = {}
    cycles = 0
    for number, row in enumerate(recording.read(path), 1):
        if (wrong := recording.trouble(row)) is not None:
            raise NasacctError(f"{path}: line {number} {wrong}; the recording is damaged there", DATA)
        first = first or row
        cycles += "servers" in row
    if not cycles:
        raise NasacctError(f"{path} holds no cycle; it has nothing to replay", DATA)
    return first


def _play(rows: Iterator[dict[str, Any]], machine: Recorded, config: Config, folder: Path) -> Replayed:
    standing = Standing()
    sampler = Sampler(machine, standing, lambda admit: build(admit, config, live=False), deadline_s=60)
    finals = Finals(sampler)
    writer: JournalWriter | None = None
    cycles, servers, first_ns = 0, set[str](), 0
    for row in rows:
        machine.play(row)
        if "static" in row:
            continue
        if "event" in row:
            frame = _event(row, finals)
        elif "servers" in row:
            listing = machine.servers()
            servers.update(s.name for s in listing.servers)
            frame = sampler.cycle(listing)
            cycles += 1
        else:
            continue
        if frame is None:
            continue
        if writer is None:
            first_ns = frame.at.wall_ns
            origin = journal.Origin.begin(
                machine.node,
                machine.boot_id,
                machine.kernel,
                interval_s=machine.interval_s or config.interval_s,
                link_rate_bits=config.store.link_rate_bits,
            )
            writer = JournalWriter(folder, origin, standing, number=1, file_s=config.store.journal_minutes * 60)
        writer.put(frame)
        if writer.waiting > AHEAD and not writer.flush(60):
            raise NasacctError(f"the journal cannot be written: {writer.trouble}; free space and replay again", IO)
    sampler.end()
    assert writer is not None
    if not writer.close(60):
        raise NasacctError(f"the journal cannot be written: {writer.trouble}; free space and replay again", IO)
    return Replayed(machine.node, cycles, len(servers), first_ns, machine.now().wall_ns)


def _event(row: dict[str, Any], finals: Finals) -> Frame | None:
    if row["event"] == "server_ended":
        return finals.server(server_in(row["server"], row))
    if row["event"] == "link_ended":
        return finals.recorded_link(row["epoch"], row.get("received_bytes"), row.get("sent_bytes"))
    return None


def _node(path: Path, first: dict[str, Any]) -> str:
    given = first.get("static", {}).get("node")
    stem = path.name.split(".")[0]
    return str(given or (path.resolve().parent.name if stem in ("trace", "recording") else stem))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
