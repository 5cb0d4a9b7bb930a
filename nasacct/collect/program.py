"""A program of ZFS that is run beside the cycles: one at a time, waited for as long as its pool lets it wait."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import threading

log = logging.getLogger(__name__)

#: Where programs may be beside the PATH.
_PLACES = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin"
#: After so long it is told that the program does not answer; it is waited for all the same.
_SLOW_S = 120.0


class Program:
    """`zfs` or `zpool`, or what `runs` in its place. It speaks English, and tells times in UTC.

    `cpu_us` is what it has taken in all its runs, and nobody else's programs.
    """

    def __init__(self, name: str, runs: str | None = None) -> None:
        self.name, self._runs, self.cpu_us = name, runs, 0
        self._running: int | None = None
        self._closed = False
        # held while its end is taken: so nobody kills what has its number after it
        self._lock = threading.Lock()

    def run(self, *arguments: str) -> tuple[bytes, list[str]]:
        """What it prints, and the lines that it complains in. Raises OSError where there is no such program."""
        runs = self._runs or place(self.name)
        if runs is None:
            raise FileNotFoundError(f"there is no program {self.name}; install zfsutils")
        with os.fdopen(os.memfd_create("text"), "r+b") as text, os.fdopen(os.memfd_create("errors"), "r+b") as errors:
            status = self._wait([runs, *arguments], text.fileno(), errors.fileno())
            text.seek(0)
            errors.seek(0)
            printed, complaints = text.read(), errors.read().decode("utf-8", "replace").splitlines()
        if status and not complaints:
            complaints.append(f"{self.name} {arguments[0]} ended with status {status}")
        return printed, complaints

    def close(self) -> None:
        """End it, if it is running; nor is one begun that could not be ended."""
        with self._lock:
            self._closed = True
            if self._running is not None:
                os.kill(self._running, signal.SIGKILL)

    def _wait(self, command: list[str], text: int, errors: int) -> int:
        """Run it to its end; its exit status."""
        environment, silence = {"LC_ALL": "C", "TZ": "UTC"}, subprocess.DEVNULL
        told = "%s %s has not answered for %.0f s; it is waited for", self.name, command[1], _SLOW_S
        slow = threading.Timer(_SLOW_S, log.warning, told)
        slow.daemon = True
        running = subprocess.Popen(command, cwd="/", env=environment, stdin=silence, stdout=text, stderr=errors)
        with self._lock:
            self._running = running.pid
            if self._closed:
                os.kill(running.pid, signal.SIGKILL)
        slow.start()
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        slow.cancel()
        with self._lock:
            _, status, spent = os.wait4(running.pid, 0)
            self._running = None
        running.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_us += int((spent.ru_utime + spent.ru_stime) * 1_000_000)
        return running.returncode


def place(name: str) -> str | None:
    """Where the program of that name is."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_PLACES}")
