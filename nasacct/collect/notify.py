"""Tells systemd how the collector is, when it was started by systemd (sd_notify(3)); elsewhere it does nothing."""

from __future__ import annotations

import contextlib
import os
import socket


class Notifier:
    """Sends state to $NOTIFY_SOCKET. `watchdog_s` is half of the time after which systemd expects a sign of life."""

    def __init__(self, environ: os._Environ[str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        asked = environ.get("WATCHDOG_USEC", "")
        for_us = environ.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self.watchdog_s = int(asked) / 2e6 if self._address and asked.isdecimal() and for_us else None

    def send(self, state: str) -> None:
        """Send e.g. `READY=1` or `WATCHDOG=1`. A manager that does not listen is not our trouble."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as s:
            s.settimeout(1)
            s.sendto(state.encode(), self._address)
