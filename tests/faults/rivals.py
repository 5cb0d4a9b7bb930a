"""What other tools' rules make of the same readings: one function each, of a series of (ns, value) of one name.

They are the rules only, given every reading in time and in order; a tool that polls every five minutes has fewer. None
of them knows epochs, and none is told of an end.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from faults.truth import LINK, SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    Series = Sequence[tuple[int, int]]

_MAX32, _MAX64 = (1 << 32) - 1, (1 << 64) - 1
#: vnStat's longest time between two updates (UpdateInterval in its configuration); what moved in a gap is dropped.
_GAP = 300 * SECOND


def vnstat(series: Series) -> int:
    """vnStat, `countercalc` in src/misc.c: what is smaller has wrapped, at 32 bits if both fit, else at 64.

    Growth beyond the link's rate is dropped as impossible, and so is what moved in a gap.
    """
    total = 0
    for (t0, old), (t1, new) in pairwise(series):
        limit = _MAX64 if max(old, new) > _MAX32 else _MAX32
        grown = new - old if new >= old else limit - old + new
        if t1 - t0 <= _GAP and grown <= max(LINK * (t1 - t0) // SECOND, _MAX32):
            total += grown
    return total


def vpsadmin(series: Series) -> int:
    """vpsAdmin, `NetAccounting::Interface#update` of libnodectld: a negative difference is clamped to 0."""
    return sum(max(new - old, 0) for (_, old), (_, new) in pairwise(series))


def librenms(series: Series) -> int:
    """LibreNMS, `CollectData` in poll-billing.php: a negative difference, or more than the link, repeats the last."""
    total, last = 0, 0
    for (t0, old), (t1, new) in pairwise(series):
        possible = LINK * max(t1 - t0, SECOND) // SECOND
        last = new - old if 0 <= new - old <= possible else last
        total += last
    return total


def prometheus(series: Series) -> int:
    """Prometheus, `increase` in promql/functions.go without its extrapolation: what is smaller began at 0."""
    return sum(new - old if new >= old else new for (_, old), (_, new) in pairwise(series))


def prometheus_extrapolated(series: Series) -> int:
    """The same with `extrapolatedRate`, over 5-minute windows one after the other, as dashboards ask for it."""
    if len(series) < 2:
        return 0
    window, total = 300 * SECOND, 0.0
    first = series[0][0] // window
    for k in range(first, series[-1][0] // window + 1):
        start, end = k * window, (k + 1) * window
        inside = [s for s in series if start < s[0] <= end]
        if len(inside) < 2 or inside[-1][0] == inside[0][0]:
            continue
        sampled = inside[-1][0] - inside[0][0]
        grown, mean = prometheus(inside), sampled / (len(inside) - 1)
        before, after = inside[0][0] - start, end - inside[-1][0]
        if grown > 0:
            before = min(before, sampled * inside[0][1] / grown)
        reach = sum(gap if gap < mean * 1.1 else mean / 2 for gap in (before, after))
        total += grown * (sampled + reach) / sampled
    return int(total)


RULES = {
    "vnStat": vnstat,
    "vpsAdmin (clamp)": vpsadmin,
    "LibreNMS (billing)": librenms,
    "Prometheus increase, raw": prometheus,
    "Prometheus increase[5m]": prometheus_extrapolated,
}
