"""How: by what kind of request somebody used the disks.

The disk time that the fit gave to a member in each channel is divided among the kinds of request that work in it, by
what each would cost at most. The group of kinds with most of it names how.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nasacct.reports.attribution.device import CHANNELS, READS
from nasacct.reports.attribution.requests import CHANNEL, KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nasacct.reports.attribution.columns import Window
    from nasacct.reports.attribution.costs import Costs
    from nasacct.reports.attribution.scene import Floats

#: All that is told.
HOW = ("random_read", "seq_read", "bulk_write", "sync_write", "metadata", "delete")
_GROUPS = {
    "reads": ("reads", "read_mb", "records"),
    "metadata": ("lookups", "changes", "removes", "freed"),
    "sync_write": ("commits",),
    "bulk_write": ("writes", "runs", "write_mb", "pages"),
}
_GROUP = {kind: group for group, kinds in _GROUPS.items() for kind in kinds}
#: Of the mean inside: who asks for more than that has begun.
_BEGUN = 0.2
#: Who opens so many files for each that is removed makes some of them.
_OPENED = 0.5
#: Of a disk: with less than this nobody says how.
_LEAST = 1e-4


def told(
    members: Sequence[int],
    seen: Window,
    costs: Costs,
    parts: Floats,
    *,
    unsynced: bool = False,
    opened: float = 0.0,
) -> str | None:
    """How these members of the window, who are one, used the disks: one of HOW; None where they hardly did.

    `parts` (entities x CHANNELS) is `Fitted.parts`. `unsynced`: their file systems wait for no commit (ZFS's
    sync=disabled), so what they commit is written like all else. `opened`: how many files they opened for each that
    they removed, for who makes files by NFSv4 opens them.
    """
    spent = dict.fromkeys(_GROUPS, 0.0)
    asked = _asked(members, seen, costs)
    amounts = asked * costs.full
    ios = lost = 0.0
    for channel in range(len(CHANNELS)):
        of = np.flatnonzero(channel == CHANNEL)
        total, time = amounts[of].sum(), float(parts[list(members), channel].sum())
        if total <= 0:
            # of what they did not ask for, such as reads that writes need
            lost += time
            continue
        each = amounts[of] / total
        for kind, part in zip(of, each, strict=True):
            group = _GROUP[KINDS[kind]]
            group = "bulk_write" if unsynced and group == "sync_write" else group
            spent[group] += time * float(part)
            ios += time * float(part) if group == "reads" and channel == READS else 0
    if sum(spent.values()) + lost < _LEAST:
        return None
    most = max(spent, key=lambda group: spent[group])
    if most == "reads":
        return "random_read" if 2 * ios > spent["reads"] else "seq_read"
    if most == "metadata":
        calls = dict(zip(KINDS, asked, strict=True))
        # what is made and removed again is metadata; so is what was removed but little beside
        only = calls["removes"] > calls["changes"] + calls["lookups"] / 4 and opened < _OPENED
        return "delete" if only else "metadata"
    return most


def began(members: Sequence[int], seen: Window, costs: Costs) -> int | None:
    """The sample of the scene at which what they asked for beyond the usual began; None where there is no such thing.

    It is the first of the samples up to the first one inside in which they asked for much without a break.
    """
    excess = np.maximum(seen.kinds[list(members)] - costs.usual[list(members), :, None], 0)
    asked = (excess * costs.full[:, None]).sum(axis=(0, 1))
    much = asked > _BEGUN * asked[seen.inside].mean()
    if not much[seen.inside].any():
        return None
    at = int(np.flatnonzero(much & seen.inside)[0])
    while at > 0 and much[at - 1]:
        at -= 1
    return int(seen.samples[at])


def _asked(members: Sequence[int], seen: Window, costs: Costs) -> Floats:
    """By kind, what they asked for beyond the usual inside; all of it if nothing was."""
    inside = seen.kinds[list(members)][..., seen.inside]
    excess = np.maximum(inside - costs.usual[list(members), :, None], 0)
    asked: Floats = (excess if excess.any() else inside).sum(axis=(0, 2))
    return asked
