"""The project's own programs as processes of the NAS: the collector and the recorder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

OUT = Path(os.environ["LAB_OUT"])
CONFIG_FILE = Path("/lab/nasacct.toml")


class Watcher:
    """A `nasacct` command that runs until SIGTERM; what it says goes to $LAB_OUT/<command>.log."""

    def __init__(self, config: str, command: str, *arguments: str, log: Path | None = None) -> None:
        CONFIG_FILE.write_text(config, "utf-8")
        self.log = log or OUT / f"{command}.log"
        with self.log.open("wb") as said:
            argv = [sys.executable, "-m", "nasacct", command, "--config", str(CONFIG_FILE), *arguments]
            self._process = subprocess.Popen(argv, stdout=said, stderr=subprocess.STDOUT)

    @staticmethod
    def possible() -> bool:
        """Whether the project is in the guest (run-vm --project)."""
        return Path("/lab/nasacct/__main__.py").exists()

    def wait_for(self, condition: Callable[[], bool], what: str, deadline_s: float = 120) -> None:
        """Wait until the condition holds; RuntimeError when the program ends or the time is over before."""
        end = time.monotonic() + deadline_s
        while not condition():
            status = self._process.poll()
            if status is not None or time.monotonic() > end:
                how = "too late" if status is None else f"it ended with status {status}"
                raise RuntimeError(f"{what}: {how}; {self.log.read_text('utf-8')}")
            time.sleep(0.1)

    def end(self) -> int:
        """SIGTERM, and its exit status."""
        self._process.terminate()
        return self._process.wait(60)


class Collector(Watcher):
    """`nasacct collect` into a store."""

    def __init__(self, config: str, store: Path, log: Path | None = None) -> None:
        super().__init__(config, "collect", "--root", str(store), "--volatile", log=log)
        self._store = store

    def _written(self) -> int:
        return sum(path.stat().st_size for path in self._store.glob("node=*/journal/*.journal"))

    def cycles(self, more: int) -> None:
        """Wait until the journal grew so many times."""
        for _ in range(more):
            before = self._written()
            self.wait_for(lambda size=before: self._written() > size, "the collector's journal grows")


class Recorder(Watcher):
    """`nasacct record` into a file."""

    def __init__(self, config: str, file: Path) -> None:
        super().__init__(config, "record", str(file), "--for", "1d")
        self.wait_for(file.exists, "the recording is begun")


class Nobody:
    """Stands in where the project is not in the guest: the lab can be tried without it."""

    def cycles(self, more: int) -> None:
        """Wait for nothing."""

    def end(self) -> int:
        """There is nothing to end."""
        return 0
