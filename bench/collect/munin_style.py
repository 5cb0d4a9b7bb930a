"""What reading each server by programs inside its namespace costs, as plugins do that are run once a server."""

from __future__ import annotations

import resource
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def cpu_ns(names: Sequence[str], counter: str) -> tuple[int, int]:
    """CPU time (ns) of `ip netns exec NAME cat` of the counter file in these namespaces, and of `... ip -s link`.

    It is that of the programs alone; what the kernel does later to take their mount namespaces apart is not in it.
    """
    return _run(names, ["cat", f"/proc/net/{counter}"]), _run(names, ["ip", "-s", "link"])


def _run(names: Sequence[str], command: list[str]) -> int:
    before = _children()
    for name in names:
        subprocess.run(["ip", "netns", "exec", name, *command], stdout=subprocess.DEVNULL, check=True)
    return round((_children() - before) * 1e9)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
