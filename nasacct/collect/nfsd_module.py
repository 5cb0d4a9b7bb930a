"""The life of the nfsd kernel module: the epoch of what it counts for the whole host.

The module's counters begin at 0 when it is loaded. Neither /proc/modules nor the times of its folder in /sys tell one
loading from the next (an address is used again, and a folder's times are those of its inode, which the kernel may drop
and make anew). The folder's inode number does: kernfs numbers its nodes in a circle of 2**64 (since Linux 4.14).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: What is said of a life where nothing can be found out, as in a recording: it is as long as the boot.
UNKNOWN = ""


def life(sys_root: Path) -> str | None:
    """This loading of nfsd, as a word unique in this boot; None when nfsd is not there."""
    try:
        return f"{(sys_root / 'module/nfsd').stat().st_ino:x}"
    except FileNotFoundError:
        return None
    except OSError:
        return UNKNOWN


def unknown() -> str:
    """The life where it is not asked for."""
    return UNKNOWN


def epoch(boot_id: str, module_life: str | None) -> str:
    """The epoch of what this loading of nfsd counts for the whole host."""
    return f"{boot_id}/nfsd/{module_life}" if module_life else f"{boot_id}/nfsd"
