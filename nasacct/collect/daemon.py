"""The collector: a clock, the sampler and the journal's writer, until somebody says stop."""

from __future__ import annotations

import errno
import logging
import signal
import threading
import time
from typing import TYPE_CHECKING

from nasacct.collect import logs
from nasacct.collect.client_ids import make_key
from nasacct.collect.collector import Collector
from nasacct.collect.live import Live
from nasacct.collect.loop import Loop
from nasacct.collect.notify import Notifier
from nasacct.collect.rehearsal import Rehearsal
from nasacct.collect.strain import Strain
from nasacct.errors import OK, NasacctError, of_os
from nasacct.store import journal
from nasacct.store import root as store_root
from nasacct.store.chain import completed
from nasacct.store.journal_ring import Ring, take_back
from nasacct.store.journal_writer import JournalWriter
from nasacct.store.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nasacct.config import Config
    from nasacct.store.frame import Frame

log = logging.getLogger(__name__)

#: How long the end waits for the disk.
FLUSH_S = 20.0
#: How long the begin waits for a journal file that cannot be read, less than systemd's 90 s; pause between attempts.
PATIENCE_S, AGAIN_S = 60.0, 2.0


def rehearse(config: Config, for_s: float) -> Rehearsal:
    """Read for so long and write nothing."""
    logs.begin(logging.WARNING)
    found = Rehearsal(config.interval_s)
    with Collector(config, Live(config), found.take) as collector:
        Loop(config.interval_s, collector.tick, collector.watch, collector.changed).run(for_s)
        found.servers, found.notes = collector.count, collector.notes
    return found


def run(config: Config, *, volatile: bool = False, reload: Callable[[], Config] | None = None) -> int:
    """Collect until SIGTERM or SIGINT; gives back the exit status.

    SIGHUP asks `reload` for the configuration and begins anew with it, in the same process and where the last run
    ended. Raises NasacctError when the store must not or cannot be used.
    """
    logs.begin()
    # a SIGHUP between two runs, when no loop listens, must neither end the process nor be lost
    asked = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: asked.set())
    notifier = Notifier()
    while True:
        if config.mountpoint is not None and not _mounted(config.mountpoint, notifier):
            return OK
        store_root.prepare(config.root, volatile=volatile, reader_group=config.reader_group)
        journal.refuse_newer(config.root / f"node={config.node}" / "journal")
        with store_root.lock(config.root, config.node, "collect"):
            again = _collect(config, notifier, asked)
        if not again:
            return OK
        notifier.send("RELOADING=1")
        asked.clear()
        try:
            config = reload() if reload else config
            log.info("configuration read again")
        except NasacctError as err:
            log.error("the configuration stays as it was: %s", err)


def _collect(config: Config, notifier: Notifier, asked: threading.Event) -> bool:
    """One run, until it is to end (False) or to begin again with a new configuration (True)."""
    folder = config.root / f"node={config.node}" / "journal"
    folder.mkdir(mode=0o750, exist_ok=True)
    make_key(folder.parent)
    if config.store.ring_dir is not None:
        take_back(config.store.ring_dir, folder, FLUSH_S)
    standing, number = recover(folder)
    machine = Live(config)
    origin = journal.Origin.begin(
        config.node,
        machine.boot_id,
        machine.kernel,
        interval_s=config.interval_s,
        link_rate_bits=config.store.link_rate_bits,
    )
    minutes, ring = config.store.journal_minutes, config.store.ring_mib
    writer = JournalWriter(folder, origin, standing, number=number, file_s=minutes * 60, ring_bytes=ring << 20)
    where = config.store.ring_dir
    mirror = Ring(writer, where, after_s=config.interval_s) if where is not None else None
    strain, told = Strain(config.episodes), ""

    def take(frame: Frame) -> None:
        writer.put(frame)
        strain.take(frame)

    with Collector(config, machine, take, standing) as collector:
        ready = False
        again = False

        def tick() -> None:
            nonlocal ready, told
            collector.tick()
            if writer.fault is not None:
                raise writer.fault
            if not ready:
                ready = True
                notifier.send("READY=1")
                log.info("collecting node=%s root=%s servers=%d", config.node, config.root, collector.count)
            if strain.status != told:
                told = strain.status
                notifier.send(f"STATUS={told}")
            # not before the cycle: a cycle that hangs must be seen
            notifier.send("WATCHDOG=1")
            if asked.is_set():
                reload()

        def reload() -> None:
            nonlocal again
            again = True
            loop.stop()

        loop = Loop(config.interval_s, tick, collector.watch, collector.changed, reload)
        loop.run()
        collector.tick()
        if not again:
            notifier.send("STOPPING=1")
        lost = 0 if writer.close(FLUSH_S) else writer.waiting
        if mirror is not None:
            mirror.close()
        if lost:
            why = writer.trouble or f"{folder} has taken nothing for {time.monotonic() - writer.since:.0f} s"
            log.error("ended with %d cycles not on the disk: %s", lost, why)
    return again


def recover(folder: Path) -> tuple[Standing, int]:
    """What stood when the last run ended, and the number for the next file; damaged files are passed over.

    One that cannot be read now is waited for: passing it over would count twice what it holds, once by itself when it
    can be read again, and once more in a run that goes on from the readings before it. Waiting loses nothing but what
    ends meanwhile. When the medium has failed (EIO) and stays so, the file is moved out of the way, where it counts
    for nobody, and its cycles are bridged. NasacctError when something else keeps it from being read.
    """
    files = journal.files(folder)
    number = journal.number_of(files[-1]) + 1 if files else 1
    for path in reversed(files):
        try:
            found = _patiently(path)
        except journal.JournalError as err:
            log.error("%s; going on from the file before it", err)
            continue
        except OSError as err:
            if err.errno != errno.EIO:
                raise of_os(err, f"going on from {path}") from None
            aside = folder.parent / "quarantine"
            aside.mkdir(mode=0o750, exist_ok=True)
            path.rename(aside / path.name)
            log.error("%s: %s; moved to %s, going on from the file before it", path, err.strerror, aside)
            continue
        if found.trouble:
            log.warning("%s has a %s; what is whole counts", path.name, found.trouble)
        try:
            return completed(found, files, path).standing(), number
        except OSError as err:
            raise of_os(err, f"going on from {path}") from None
    return Standing(), number


def _patiently(path: Path) -> journal.Journal:
    """The journal file, tried again for a while when the system does not let it be read."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return journal.read(path)
        except OSError as err:
            if isinstance(err, PermissionError) or time.monotonic() + AGAIN_S > until:
                raise
            log.warning("%s: %s; trying again", path, err.strerror)
            time.sleep(AGAIN_S)


class _Patience(threading.Event):
    """Waits, and tells the watchdog meanwhile that waiting is what is meant."""

    def __init__(self, notifier: Notifier) -> None:
        super().__init__()
        self._notifier = notifier

    def wait(self, timeout: float | None = None) -> bool:
        self._notifier.send("WATCHDOG=1")
        return super().wait(timeout)


def _mounted(mountpoint: Path, notifier: Notifier) -> bool:
    """Wait for the pool; the service counts as started, for it is doing what it should."""
    notifier.send(f"READY=1\nSTATUS=waiting for {mountpoint} to be mounted")
    return store_root.wait_for_mount(mountpoint, _Patience(notifier), log.info)
