"""Thresholds: from where on disks do not keep up, and from when on that is an episode.

They are the table `[episodes]` of the configuration; what was judged says by which it was.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on a sample is saturated, and which saturated samples are an episode."""

    busy: float = 0.95
    busy_stalled: float = 0.85  #: busy enough if tasks stand still and IOs wait, or a sync takes long
    busy_others: float = 0.92  #: of the median disk, beside one that is busy
    behind: float = 1.3  #: unless the busiest is so many times as busy: the pool waits for it alone
    full: float = 0.40  #: PSI full
    sync_s: float = 0.5  #: of a sync, beyond zfs_txg_timeout
    wait_ratio: float = 2.0  #: times the wait that a quarter of the samples are below
    queue_ratio: float = 4.0  #: times the median queue
    some: float = 0.50  #: PSI some
    enter: int = 3  #: so many of the last `of` samples must be saturated for an episode to begin
    of: int = 4
    leave: int = 6  #: and so many in a row not, for it to end
    merge_s: int = 60  #: what is so near another is one with it
    least_s: int = 60
    minor_s: int = 120  #: what is shorter wakes nobody
    outage_s: int = 600  #: what is missing for longer ends an episode

    def told(self) -> dict[str, float]:
        """By name."""
        return asdict(self)

    def other(self, values: Mapping[str, float]) -> Thresholds:
        """The same with other values of these names. KeyError of a name that is none, ValueError of a wrong value."""
        kinds = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        found: dict[str, Any] = {}
        for name, value in values.items():
            found[name] = kinds[name](value)
            if found[name] != value or not 0 <= value < 1e6:
                raise ValueError(f"{name} = {value:g}")
        made = replace(self, **found)
        if not 1 <= made.enter <= made.of or made.leave < 1:
            raise ValueError(f"enter = {made.enter}, of = {made.of}, leave = {made.leave}")
        return made
