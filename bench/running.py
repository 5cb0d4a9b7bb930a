"""The frame of benches that measure a fleet of servers in network namespaces of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.collect import namespaces

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.collect.namespaces import Fleet

#: The exit statuses of sysexits.h, and what a shell gives for a program ended by SIGINT.
UNAVAILABLE, NO_PERMISSION, INTERRUPTED = 69, 77, 130
Taken = TypeVar("Taken")


def run(
    bench: str,
    servers: int,
    measure: Callable[[Fleet, Path], Taken],
    tell: Callable[[Taken], None],
    below: Path | None = None,
) -> int:
    """Make so many servers and a folder (`below` that one), measure, and tell what came out.

    Gives back the exit status: whether it could be measured, not what came out.
    """
    if os.geteuid() != 0:
        print(f"bench/{bench} makes network namespaces: run it as root", file=sys.stderr)
        return NO_PERMISSION
    try:
        with tempfile.TemporaryDirectory(prefix=f"bench-{bench}-", dir=below) as folder:
            namespaces.isolate()
            taken = measure(namespaces.make(servers), Path(folder))
    except (OSError, RuntimeError, subprocess.CalledProcessError) as err:
        print(f"bench/{bench} could not measure: {err}", file=sys.stderr)
        return UNAVAILABLE
    except KeyboardInterrupt:
        return INTERRUPTED
    tell(taken)
    return 0
