"""The hit rate: of the verdicts that somebody judged, how many were right; as few as they are, with an interval.

Of each episode the judgement that holds counts. Whom people ask about, and judge, is no sample of chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from nasacct.reports.sureness import NAMED, SURE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nasacct.store.judgements import Judgement

#: The normal distribution's 95 % quantile: nine in ten intervals hold the truth.
_Z = 1.6448536269514722
#: What nobody knows of a verdict that was judged.
UNKNOWN = "unknown"
_LIKELY, _PERHAPS, _HARDLY, _NOBODY = f">= {SURE}", f"{NAMED} .. {SURE}", f"< {NAMED}", "nobody accused"
_CONFIDENCES = (_LIKELY, _PERHAPS, _HARDLY, _NOBODY, UNKNOWN)


@dataclass(frozen=True, slots=True)
class HitRate:
    """How many of the judged verdicts of some kind were confirmed.

    `of` is by what they are told apart (all, verdict, confidence), `which` their kind. `rate` is None of none that were
    judged; nine times in ten the truth lies from `rate_lo` to `rate_hi`.
    """

    of: str
    which: str
    judged: int
    confirmed: int
    rate: float | None
    rate_lo: float
    rate_hi: float


def hit_rates(judgements: Iterable[Judgement]) -> list[HitRate]:
    """The hit rate of all, then of each kind of verdict, then by confidence, of which there were any."""
    every = [each for each in judgements if each.holds]
    return [_rate("all", "all", every), *_parted("verdict", every), *_parted("confidence", every)]


def wilson(confirmed: int, judged: int) -> tuple[float, float]:
    """Between which shares the truth lies, nine times in ten (Wilson, J. Am. Stat. Assoc. 22, 1927).

    From 0 to 1 when nothing was judged.
    """
    if not judged:
        return 0.0, 1.0
    share, square = confirmed / judged, _Z**2 / judged
    middle = (share + square / 2) / (1 + square)
    half = _Z * sqrt(share * (1 - share) / judged + square / (4 * judged)) / (1 + square)
    # at either end the bound is exact, whatever a rounding says
    return 0.0 if not confirmed else middle - half, 1.0 if confirmed == judged else middle + half


def _parted(of: str, every: list[Judgement]) -> Iterator[HitRate]:
    kinds: dict[str, list[Judgement]] = {}
    for each in every:
        kinds.setdefault(_verdict(each) if of == "verdict" else _confidence(each), []).append(each)
    known = _CONFIDENCES if of == "confidence" else (*sorted(kinds.keys() - {UNKNOWN}), UNKNOWN)
    yield from (_rate(of, which, kinds[which]) for which in known if which in kinds)


def _verdict(judgement: Judgement) -> str:
    return UNKNOWN if judgement.judged is None else judgement.judged.verdict


def _confidence(judgement: Judgement) -> str:
    if judgement.judged is None:
        return UNKNOWN
    found = judgement.judged.confidence
    if found is None:
        return _NOBODY
    return _LIKELY if found >= SURE else _PERHAPS if found >= NAMED else _HARDLY


def _rate(of: str, which: str, judgements: list[Judgement]) -> HitRate:
    judged = len(judgements)
    confirmed = sum(each.judgement == "confirmed" for each in judgements)
    return HitRate(of, which, judged, confirmed, confirmed / judged if judged else None, *wilson(confirmed, judged))
