"""How a counter file of the kernel, or what a program of ZFS prints, is understood, as JSON: `nasacct parse`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasacct.collect import diskstats, export_stats, mdstat, net_dev, nfsd_text, objset, pressure, txgs, zpool_status
from nasacct.collect.lines import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["KINDS", "ParseError", "understand"]

_PARSERS: Mapping[str, Callable[[bytes], Any]] = {
    "nfsd": lambda data: nfsd_text.as_json(nfsd_text.parse(data)),
    "diskstats": lambda data: diskstats.as_json(diskstats.parse(data)),
    "net_dev": lambda data: net_dev.as_json(net_dev.parse(data)),
    "export_stats": lambda data: export_stats.as_json(export_stats.parse(data)),
    "objset": lambda data: objset.as_json(objset.parse(data)),
    "txgs": lambda data: txgs.as_json(txgs.parse(data)),
    "mdstat": lambda data: mdstat.as_json(mdstat.parse(data)),
    "zpool_status": lambda data: zpool_status.as_json(zpool_status.parse(data)),
    "psi": lambda data: pressure.as_json(pressure.parse(data)),
}

#: The kinds of files that are understood.
KINDS = frozenset(_PARSERS)


def understand(kind: str, data: bytes) -> Any:
    """What the file says, by names. `kind` is one of KINDS. Raises ParseError for a broken file."""
    return _PARSERS[kind](data)
