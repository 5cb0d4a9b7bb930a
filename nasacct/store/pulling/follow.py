"""Following a store: one round of pulling, or one after the other until somebody says stop."""

from __future__ import annotations

import logging
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nasacct.errors import CANT_CREATE, IO, NO_INPUT, PERMISSION, UNAVAILABLE, NasacctError
from nasacct.store import root as store_root
from nasacct.store.expiry import Rules
from nasacct.store.pulling.remote import Remote, Stopped
from nasacct.store.pulling.rounds import Pull

if TYPE_CHECKING:
    from nasacct.config import Config

log = logging.getLogger(__name__)

#: What the next round may find otherwise: the network, the source, this disk. Everything else needs somebody's hands.
_AGAIN = (NO_INPUT, UNAVAILABLE, IO, PERMISSION)


def run(
    config: Config,
    source: str,
    *,
    ssh: str,
    every_s: float | None = None,
    node: str | None = None,
    limit: int | None = None,
    moved: bool = False,
    volatile: bool = False,
) -> Pull:
    """Copy `source` into the store `config.root` once, or every `every_s` seconds until SIGTERM or SIGINT.

    `limit`: KiB a second for segments. NasacctError when it cannot or must not be copied; with `every_s`, what may
    pass is told in the log once, and tried again. KeyboardInterrupt when the only round is stopped.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    remote = Remote(source, stop, ssh)
    if not remote.host and Path(source).resolve() == config.root.resolve():
        raise NasacctError(f"{config.root} is the source itself; name another --root for the copy", CANT_CREATE)
    rules = Rules(
        {"readings": config.store.readings_days, "usage": config.store.usage_days}, streams=config.store.usage_days_of
    )
    pull = Pull(remote, config.root, rules, node=node, limit=limit and limit << 10, every_s=every_s or 10, moved=moved)
    if config.mountpoint is not None and not store_root.wait_for_mount(config.mountpoint, stop, log.info):
        return pull
    store_root.prepare(config.root, volatile=volatile, reader_group=config.reader_group)
    trouble = ""
    with pull:
        while True:
            due = time.monotonic() + (every_s or 0)
            try:
                pull.round()
                if trouble:
                    log.info("%s is copied again", source)
                trouble = ""
            except Stopped:
                if every_s is None:
                    raise KeyboardInterrupt from None
                return pull
            except NasacctError as error:
                if every_s is None or error.status not in _AGAIN:
                    raise
                if error.sentence != trouble:
                    log.error("%s", error.sentence)
                trouble = error.sentence
            if every_s is None or stop.wait(max(due - time.monotonic(), 0)):
                return pull
