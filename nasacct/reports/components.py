"""Components: the classes of a pool's disks, each of which may be what does not keep up.

Each class is judged by itself, under a name of its own: `tank` is the data disks of a pool of that name, `tank/special`
its special ones (no pool's name has a slash: zpool-create(8)). What is busy to cache costs nobody anything, and spares
do nothing, so neither is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasacct.reports.attribution.scene import DATA, LOG

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Those beside the data disks, by the roles of the stream `layout`.
OTHERS = ("special", "dedup", LOG)


def name_of(pool: str, component: str) -> str:
    """Under which name a component of a pool is judged."""
    return pool if component == DATA else f"{pool}/{component}"


def parted(name: str) -> tuple[str, str]:
    """The pool and the component of such a name."""
    pool, slash, component = name.rpartition("/")
    return (pool, component) if slash and component in OTHERS else (name, DATA)


def meant(names: Iterable[str], asked: str | None) -> list[str]:
    """Of such names, those that somebody means who asks for a pool, for one component (`tank/data`), or for all."""
    return [name for name in names if asked in {None, name, parted(name)[0], "/".join(parted(name))}]


def told(name: str) -> dict[str, str]:
    """The same as fields of a row."""
    pool, component = parted(name)
    return {"pool": pool, "component": component}


def called(name: str) -> str:
    """As a person reads it."""
    pool, component = parted(name)
    return f"the disks of pool {pool}" if component == DATA else f"the {component} disks of pool {pool}"
