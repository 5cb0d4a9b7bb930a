"""A program of ZFS that is run beside the cycles: one at a time, waited for as long as its pool lets it wait."""

from __future__ import annotations

import logging
import os
import resource
import shutil
import subprocess

log = logging.getLogger(__name__)

#: Where programs may be beside the PATH.
_PLACES = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin"
#: After so long it is told that the program does not answer; it is waited for all the same.
_SLOW_S = 120.0


class Program:
    """`zfs` or `zpool`, or what `runs` in its place. It speaks English, and tells times in UTC."""

    def __init__(self, name: str, runs: str | None = None) -> None:
        self.name, self._runs = name, runs
        self._running: subprocess.Popen[bytes] | None = None
        self._closed = False

    def run(self, *arguments: str) -> tuple[bytes, list[str]]:
        """What it prints, and the lines that it complains in. Raises OSError where there is no such program."""
        runs = self._runs or place(self.name)
        if runs is None:
            raise FileNotFoundError(f"there is no program {self.name}; install zfsutils")
        command, pipe = [runs, *arguments], subprocess.PIPE
        environment = {"LC_ALL": "C", "TZ": "UTC"}
        with subprocess.Popen(
            command, cwd="/", env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe
        ) as running:
            self._running = running
            if self._closed:
                running.kill()
            try:
                text, errors = running.communicate(timeout=_SLOW_S)
            except subprocess.TimeoutExpired:
                log.warning("%s %s has not answered for %.0f s; it is waited for", self.name, arguments[0], _SLOW_S)
                text, errors = running.communicate()
            self._running = None
        complaints = errors.decode("utf-8", "replace").splitlines()
        if running.returncode and not errors:
            complaints.append(f"{self.name} {arguments[0]} ended with status {running.returncode}")
        return text, complaints

    def close(self) -> None:
        """End it, if it is running; nor is one begun that could not be ended."""
        self._closed = True
        if self._running is not None:
            self._running.kill()


def place(name: str) -> str | None:
    """Where the program of that name is."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_PLACES}")


def cpu_us() -> int:
    """What programs have taken that this process has waited for."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((spent.ru_utime + spent.ru_stime) * 1_000_000)
