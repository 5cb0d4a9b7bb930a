"""Calls of which nobody counts what each asks for (NFSv3 where nobody looks inside): told by their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nasacct.reports.attribution.scene import Floats

#: A call that reads or writes moves at least a page, as far as such calls matter.
_LEAST_BYTES = 4096


def by_bytes(calls: Floats, read: Floats, written: Floats) -> dict[str, Floats]:
    """Of calls, and bytes read and written, which read, which wrote, and which did neither."""
    moved = read + written
    bulk = np.minimum(calls, moved / _LEAST_BYTES)
    share = np.divide(read, moved, out=np.zeros_like(read), where=moved > 0)
    return {"reads": bulk * share, "writes": bulk * (1 - share), "lookups": calls - bulk}
