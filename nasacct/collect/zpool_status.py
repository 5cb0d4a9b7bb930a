"""What `zpool status` tells of pools: the disks each is made of, and its scrub or resilver.

Since ZFS 2.3 as JSON, `zpool status -j --json-int` (OpenZFS, cmd/zpool/zpool_main.c), all sizes in bytes, times in Unix
seconds; of older ones the text for people is understood (`zpool_text.py`), whose sizes have three digits:

    {"pools": {"tank": {"name": "tank", "state": "ONLINE", "pool_guid": 4666080752214981108,
      "scan_stats": {"function": "SCRUB", "state": "SCANNING", "start_time": 1795818723, "to_examine": 89770496,
        "issued": 59668992, "scrub_pause": 0, ...},
      "vdevs": {"tank": {"vdev_type": "root", "vdevs": {"mirror-0": {"vdev_type": "mirror", "alloc_space": 89391104,
        "vdevs": {"vdf1": {"vdev_type": "disk", "path": "/dev/vdf1", "state": "ONLINE", ...}}}}}},
      "special": {...}, "dedup": {...}, "logs": {...}, "l2cache": {...}, "spares": {...}}}}

`issued` is what was read of what is stored, with the parity of a raidz, once of a mirror: when it is scrubbed, each of
its disks reads that much.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nasacct.collect import zpool_text
from nasacct.collect.lines import LARGEST, ParseError
from nasacct.collect.zpool_text import AWAY, FUNCTIONS, ROLES, Part, Pool, Scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: What prints the one and the other, of the pools whose names follow.
ARGUMENTS, OF_OLD = ("status", "-j", "--json-int"), ("status", "-pP")
_STATES = {"SCANNING": "scanning", "FINISHED": "finished", "CANCELED": "canceled"}
_WIDE = "mirror"


def parse(text: bytes | str) -> list[Pool]:
    """Understand the whole text, JSON or not. Raises ParseError where that would need a guess."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if not data.lstrip().startswith(b"{"):
        return zpool_text.parse(data)
    try:
        found = json.loads(data)
    except json.JSONDecodeError as error:
        raise ParseError(error.lineno, f"it is no JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise ParseError(1, "it is no JSON that zpool prints") from None
    try:
        return [_pool(name, _object(pool)) for name, pool in _object(found.get("pools", {})).items()]
    except RecursionError:
        raise ParseError(1, "its vdevs are nested too deeply") from None


def as_json(pools: list[Pool]) -> dict[str, object]:
    """The pools by name, with nothing that is not known."""
    return {
        pool.name: {
            "guid": pool.guid,
            "state": pool.state,
            "copies_hundredths": pool.copies_hundredths,
            "disks": [{"path": part.path, "role": part.role, "state": part.state} for part in pool.parts],
            "scan": None if pool.scan is None else {k: getattr(pool.scan, k) for k in Scan.__slots__},
        }
        for pool in pools
    }


def _pool(name: str, of: Mapping[str, Any]) -> Pool:
    parts = [part for section, role in ROLES.items() for part in _parts(of.get(section), role)]
    scan = _scan(of["scan_stats"]) if isinstance(of.get("scan_stats"), dict) else None
    guid = of.get("pool_guid")
    known = isinstance(guid, int) and guid > 0
    return Pool(name, str(guid) if known else None, str(of.get("state", "")), tuple(parts), scan, _copies(of))


def _parts(section: object, role: str) -> Iterator[Part]:
    """The disks of a section; a spare that is used stands among those it was put beside."""
    for vdev in _object(section or {}).values():
        below = _object(_object(vdev).get("vdevs", {}))
        path, state = vdev.get("path"), str(vdev.get("state", ""))
        if below:
            yield from _parts(below, role)
        elif isinstance(path, str) and (role, state) != ("spare", "INUSE"):
            yield Part(path, role, state)


def _scan(of: Mapping[str, Any]) -> Scan | None:
    function, state = of.get("function"), of.get("state")
    if function not in FUNCTIONS or state not in _STATES:
        return None
    return Scan(
        FUNCTIONS[function],
        _STATES[state],
        _number(of, "start_time"),
        _number(of, "issued"),
        _number(of, "to_examine"),
        paused=bool(of.get("scrub_pause")),
    )


def _copies(of: Mapping[str, Any]) -> int:
    """How many bytes disks read, in hundredths, for each that a scrub issues: the mean of vdevs by what they hold."""
    roots = _object(of.get("vdevs") or {}).values()
    tops = [vdev for root in roots for vdev in _object(_object(root).get("vdevs", {})).values()]
    tops += [*_object(of.get("special") or {}).values(), *_object(of.get("dedup") or {}).values()]
    held = [(_number(_object(vdev), "alloc_space") or 0, _width(vdev)) for vdev in tops]
    whole = sum(held_bytes for held_bytes, _ in held)
    if not whole:
        held, whole = [(1, width) for _, width in held], len(held)
    return 100 * sum(held_bytes * width for held_bytes, width in held) // whole if whole else 100


def _width(vdev: Mapping[str, Any]) -> int:
    if vdev.get("vdev_type") != _WIDE:
        return 1
    return max(sum(_object(each).get("state") not in AWAY for each in _object(vdev.get("vdevs", {})).values()), 1)


def _number(of: Mapping[str, Any], name: str) -> int | None:
    value = of.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise ParseError(1, f"{name} is {str(value)[:40]!r}, and no counter")
    return value


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ParseError(1, f"{str(value)[:40]!r} stands where an object must")
    return value
