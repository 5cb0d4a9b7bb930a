"""What a member may be sent about an episode: their own facts, in neutral words, with one piece of advice.

It can name nobody else, nor tell how many others there are, for it is told of nobody else. What is not sure is not said
as if it were: under a confidence of SURE it is called possible, under NAMED it is not said at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasacct.plain import plain
from nasacct.reports.attribution.how import HOW
from nasacct.reports.for_member_phrases import PHRASES
from nasacct.reports.sureness import HISTORY_S, NAMED, SURE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, tzinfo

    from nasacct.reports.dossier import Dossier
    from nasacct.reports.for_member_phrases import Language, Phrases

#: So many of a member's exports are named.
_EXPORTS = 10
#: Of who is no culprit, though he may be as likely one as not.
_NOT_NAMED = NAMED - 0.01
_LOST = ("calls_s_before", "calls_s", "response_us_before", "response_us")


@dataclass(frozen=True, slots=True)
class ForMember:
    """What concerns one member in an episode. What is None is not known, or not so.

    ValueError for what cannot be.
    """

    begin: datetime
    end: datetime
    zone: tzinfo  #: in which times are told
    exports: tuple[str, ...]  #: the member's own, as they know them
    share: float | None = None  #: of the disk time, 0 to 1
    share_lo: float | None = None  #: nine in ten lie between the two
    share_hi: float | None = None
    how: str | None = None  #: one of HOW: by what kind of request
    confidence: float | None = None  #: that a fifth of the increase or more was theirs
    calls_s_before: float | None = None  #: calls a second that were answered before, and then
    calls_s: float | None = None
    response_us_before: float | None = None  #: µs until a call was answered before, and then
    response_us: float | None = None
    little_history: bool = False  #: less than a day is known of what is normal

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        shares = (self.share_lo, self.share, self.share_hi, self.confidence)
        if any(each is not None and not 0 <= each <= 1 for each in shares):
            raise ValueError("a share or a confidence is not from 0 to 1")
        rates = (self.calls_s_before, self.calls_s, self.response_us_before, self.response_us)
        if any(each is not None and not 0 <= each < float("inf") for each in rates):
            raise ValueError("a rate or a time is negative, or none")
        if self.how is not None and self.how not in HOW:
            raise ValueError(f"{self.how!r} is none of {', '.join(HOW)}")
        if self.end < self.begin:
            raise ValueError("it ends before it begins")

    @property
    def named(self) -> bool:
        """Whether they are told that it was their requests, if only probably."""
        return self.confidence is not None and self.confidence >= NAMED

    @property
    def fewer(self) -> bool:
        """Whether fewer of their calls were answered than before."""
        return self.calls_s is not None and self.calls_s_before is not None and self.calls_s < self.calls_s_before

    @property
    def slower(self) -> bool:
        """Whether they waited for longer."""
        before, then = self.response_us_before, self.response_us
        return before is not None and then is not None and then > before


def of(dossier: Dossier, member: str, zone: tzinfo) -> ForMember:
    """What of a dossier is one member's."""
    entity = f"member:{member}"
    mine = next((each for each in dossier.entities if each.entity == entity), None)
    lost = next((each for each in dossier.victims if each.entity == entity), None)
    told: dict[str, Any] = {}
    if mine is not None:
        told = {name: getattr(mine, name) for name in ("share", "share_lo", "share_hi", "how", "confidence")}
        told |= {"confidence": mine.confidence if mine.culprit else min(mine.confidence, _NOT_NAMED)}
    if lost is not None:
        told |= {name: getattr(lost, name) for name in _LOST}
    exports = tuple(dict.fromkeys(each.export or each.server for each in mine.servers)) if mine is not None else ()
    little = dossier.learned_s < HISTORY_S
    return ForMember(dossier.begin, dossier.end, zone, exports, little_history=little, **told)


def written(told: ForMember, language: Language) -> str:
    """The text, a paragraph a line with blank lines between them, and a line end."""
    return "\n\n".join(_paragraphs(told, PHRASES[language])) + "\n"


def _paragraphs(told: ForMember, phrases: Phrases) -> Iterator[str]:
    yield phrases.greeting
    yield phrases.happened.format(when=phrases.when(told.begin, told.end, told.zone))
    exports = _exports(told, phrases)
    if told.named:
        yield " ".join(_contributed(told, phrases, exports))
        yield phrases.advice[told.how]
    elif told.fewer or told.slower:
        yield " ".join(_slowed(told, phrases, exports))
        yield phrases.nothing_to_do
    else:
        yield " ".join([phrases.not_concerned.format(exports=exports), *_share(told, phrases)])
        yield phrases.nothing_to_do
    yield " ".join([phrases.estimate, *([phrases.little_history] if told.little_history else [])])


def _contributed(told: ForMember, phrases: Phrases, exports: str) -> Iterator[str]:
    sure = told.confidence is not None and told.confidence >= SURE
    yield (phrases.contributed if sure else phrases.perhaps).format(exports=exports)
    yield from _share(told, phrases)
    yield phrases.how[told.how]
    if not sure:
        yield phrases.not_certain


def _share(told: ForMember, phrases: Phrases) -> Iterator[str]:
    if told.share is not None:
        low, high = told.share_lo, told.share_hi
        between = "" if low is None or high is None else phrases.between(low, high)
        yield phrases.share.format(share=phrases.percent(told.share), between=between)


def _slowed(told: ForMember, phrases: Phrases, exports: str) -> Iterator[str]:
    yield phrases.slowed.format(exports=exports)
    if told.fewer and told.calls_s is not None and told.calls_s_before is not None:
        yield phrases.fewer.format(before=phrases.number(told.calls_s_before), then=phrases.number(told.calls_s))
    if told.slower and told.response_us is not None and told.response_us_before is not None:
        before, then = (phrases.number(us / 1000) for us in (told.response_us_before, told.response_us))
        yield phrases.slower.format(before=before, then=then)


def _exports(told: ForMember, phrases: Phrases) -> str:
    """`your export 123`, `your exports 123 and 124`: as many as are named."""
    names = [plain(name) for name in told.exports]
    if not names:
        return phrases.your_exports
    if len(names) == 1:
        return f"{phrases.your_export} {names[0]}"
    if len(names) > _EXPORTS:
        return f"{phrases.your_exports} {', '.join(names[:_EXPORTS])} {phrases.and_more}"
    return f"{phrases.your_exports} {', '.join(names[:-1])} {phrases.conjunction} {names[-1]}"
