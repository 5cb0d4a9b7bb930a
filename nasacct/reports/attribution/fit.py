"""The fit of one episode: its measured disk time, divided among members, local work and what is not explained.

Coefficients of the columns are found by ridge NNLS on whitened errors: errors of neighbouring samples resemble each
other (Prais and Winsten, Cowles Commission 383, 1954), so what lasts is little evidence, and what begins and ends with
the episode is much. Uncertainty is that of randomised maximum a posteriori: the same fit, of data and priors to which
errors of their own size were added (Bardsley et al., SIAM J. Sci. Comput. 36, 2014).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nasacct.reports.attribution import claims, device, explanations, requests
from nasacct.reports.attribution.columns import Served, Window
from nasacct.reports.attribution.errors import whitened
from nasacct.reports.attribution.regression import huber
from nasacct.reports.attribution.scene import STEP_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasacct.reports.attribution.costs import Costs
    from nasacct.reports.attribution.device import Device
    from nasacct.reports.attribution.episodes import Episode
    from nasacct.reports.attribution.scene import Flags, Floats, Scene

#: So much around an episode is looked at.
AROUND_S = 900
#: What is explained may be this much too little before something unexplained is said to be there.
_SCALE = 1.2
DRAWS = 80
_READ = [device.READS, device.READ_MB]
_CALLS = requests.KINDS.index("reads")


class Fitted(NamedTuple):
    """Entities are the scene's members, then local work with whatever is not explained."""

    draws: Floats  #: draws x entities: shares of the disk time, each row sums to 1
    unexplained: float  #: the part of local work's share that no column explains
    work: float  #: mean measured disk time inside
    error: float  #: root mean square of the fit's errors inside, of a disk
    parts: Floats  #: entities x CHANNELS: mean disk time inside that columns explain


def window(scene: Scene, episode: Episode, others: Flags, costs: Costs, model: Device) -> Window:
    """What is looked at for an episode: it and AROUND_S before and after it, without other episodes' samples."""
    margin = AROUND_S // STEP_S
    first, end = max(0, episode.first - margin), min(len(scene), episode.end + margin)
    known = np.isfinite(device.work(scene, model)).all(axis=0)
    samples = np.flatnonzero((known & ~others)[first:end]) + first
    lead = max(0, first - margin)  # what was written before costs later
    activity = scene.members.activity[..., lead:end]
    kinds, prompt = (requests.effective(activity, each)[..., samples - lead] for each in (costs.kernel, np.ones(1)))
    # what scrubs read is counted where they read it, what processes read only where disks' reads for others are, too
    sure = _together(scene.scanned_mb, scene.local_mb if scene.members.physical_mb is not None else None)
    read = _together(scene.scanned_mb, scene.local_mb)
    written = scene.local_written_mb
    if written is not None:
        written = requests.delayed(np.nan_to_num(written[lead:end]), costs.kernel)[samples - lead]
    inside = (samples >= episode.first) & (samples < episode.end)
    costing = device.around(scene, model, samples)
    work = device.work(scene, costing)[:, samples]
    local, sure = (None if each is None else each[samples] for each in (read, sure))
    served = _served(scene, samples[inside], kinds[:, _CALLS][:, inside], costing)
    return Window(samples, inside, work, kinds, prompt, local, written, sure, served)


def _served(scene: Scene, inside: NDArray[np.int64], calls: Floats, costing: Device) -> Served | None:
    """What disks read for members, who made so many `calls` a second that read; None where nobody counts that."""
    if scene.members.physical_mb is None:
        return None
    each: Floats = np.nan_to_num(scene.members.physical_mb[:, inside]).sum(axis=1)
    part = each / max(float(np.nansum(scene.disks.read_mb[:, inside])), float(each.sum()), 1e-9)
    return Served(part, calls.sum(axis=1) * costing.seconds[device.READS] / max(costing.disks, 1))


def _together(one: Floats | None, other: Floats | None) -> Floats | None:
    """The sum of what is known."""
    known = [np.nan_to_num(each) for each in (one, other) if each is not None]
    return sum(known[1:], known[0]) if known else None


def fitted(seen: Window, costs: Costs, model: Device, seed: int) -> Fitted:
    """Whose the disk time inside was."""
    cols = explanations.made(seen, costs, model)
    rows, target = whitened(seen, cols.course, costs)
    likeliest = max(claims.weighed(cols, rows @ rows.T, rows @ target), key=lambda each: each.weight)
    weights = np.sqrt(huber(target - cols.solved(likeliest.spread, rows @ rows.T, rows @ target) @ rows))
    rows, target = rows * weights, target * weights
    gram = rows @ rows.T
    held = claims.weighed(cols, gram, rows @ target)
    inside = cols.course[..., seen.inside].sum(axis=2)
    measured = seen.work[:, seen.inside].sum(axis=1)
    random = np.random.default_rng(seed)
    moments = (target + random.standard_normal((DRAWS, len(target)))) @ rows.T
    normal = random.standard_normal((DRAWS, len(cols.mean)))
    upto = np.cumsum([each.weight for each in held])
    found = [
        cols.solved(held[which].spread, gram, moments[draw], normal[draw])
        for draw, which in enumerate(np.searchsorted(upto, (np.arange(DRAWS) + 0.5) / DRAWS).clip(0, len(held) - 1))
    ]
    shares = (_shares(each[:, None] * inside, cols.whose, measured, seen.served) for each in found)
    draws, missing = zip(*shares, strict=True)
    mean = np.mean(found, axis=0)
    error = (seen.work - np.einsum("k,kct->ct", mean, cols.course)).sum(axis=0)[seen.inside]
    parts = np.einsum("k,kct,ke->ec", mean, cols.course[..., seen.inside], cols.whose) / int(seen.inside.sum())
    return Fitted(
        np.stack(draws),
        float(np.mean(missing)),
        float(measured.sum()) / int(seen.inside.sum()),
        float(np.sqrt(np.mean(error**2))),
        parts,
    )


def _shares(parts: Floats, whose: Floats, measured: Floats, served: Served | None) -> tuple[Floats, float]:
    """Entities' shares of the measured disk time, from columns' parts of it by channel; and what is not explained.

    A read may take more IOs than one: what nothing explains of reads is theirs for whom disks read the bytes, as far as
    one IO more for each of their reads goes. Beyond that it is not known, whosever the bytes are: IOs have many sizes.
    """
    total = float(measured.sum())
    if total <= 0:
        return np.append(np.zeros(whose.shape[1] - 1), 1.0), 0.0
    entities = parts.sum(axis=1) @ whose
    explained = entities.sum()
    scale = min(_SCALE, total / explained) if explained > 0 else 1.0
    entities = entities * scale
    missing = max(total - float(entities.sum()), 0.0)
    if served is not None:
        reads = measured[_READ].sum() - scale * parts[:, _READ].sum()
        known = np.minimum(served.part * np.clip(reads, 0, missing), served.once)
        entities[:-1] += known
        missing -= float(known.sum())
    entities[-1] += missing
    return entities / total, missing / total
