"""Freshness: up to when what is shown of each node reaches, said wherever it need not be now."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from nasacct.store.copies import copied
from nasacct.times import render
from nasacct.units import in_duration

#: What is younger is called fresh.
_FRESH_S = 60


def freshness(root: Path, reached: Mapping[str, datetime | None], zone: ZoneInfo) -> str:
    """One line about these nodes; empty for a single node whose data was collected in this store."""
    if len(reached) < 2 and not any(is_copy(root, node) for node in reached):
        return ""
    return ", ".join(
        f"{node} up to {render(at, zone)}{behind(at)}" if at else f"{node} without any data"
        for node, at in sorted(reached.items())
    )


def behind(at: datetime) -> str:
    """`, 4 h behind` for data that is not fresh, else nothing."""
    age_s = (datetime.now(UTC) - at).total_seconds()
    return f", {in_duration(age_s)} behind" if age_s >= _FRESH_S else ""


def is_copy(root: Path, node: str) -> bool:
    """Whether the node's data is pulled from another store."""
    return copied(root / f"node={node}") is not None
