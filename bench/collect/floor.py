"""The C program that makes the same reads, built here and driven as a worker."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from bench.collect.worker import Worker

SOURCE = Path(__file__).with_name("floor.c")
#: Files of the host that the collector reads in every cycle too.
FILES = ("diskstats", "stat", "meminfo", "loadavg", "uptime", "pressure/io")


def start(folder: Path, counter: str) -> Worker:
    """Build it into the folder and start it. Raises FileNotFoundError when there is no C compiler."""
    if shutil.which("cc") is None:
        raise FileNotFoundError("there is no C compiler; apt-get install gcc libc6-dev")
    program = folder / "floor"
    subprocess.run(["cc", "-O2", "-o", str(program), str(SOURCE)], check=True)
    files = [f"/proc/{name}" for name in FILES if Path("/proc", name).is_file()]
    return Worker([str(program), counter, *files])
