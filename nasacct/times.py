"""Moments as people write and read them, in one time zone whose offset changes twice a year.

Read: `now`, `today`, `yesterday`, `14:05`, `tue 14:05`, `2026-11-23`, `2026-11-23 14:05`, `2026-11` (its first moment),
ISO 8601 with an offset or Z, `-2h`, `-1d12h`, `2h ago`. Words may be joined: `yesterday 14:05`.

Without a date a clock time is the latest one that is not in the future. Hours and less are elapsed time; days and weeks
are calendar days: `-1d` is the same clock time yesterday, also when that day had 23 or 25 hours.
A clock time that occurred twice (autumn) is the first one where a span starts and the second one where it ends;
one that never was (spring) is the moment at which the clock was moved.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from nasacct.units import seconds

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_MONTH = re.compile(r"\d{4}-\d{2}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}[t ]\d{1,2}:\d{2}(:\d{2}([.,]\d{1,9})?)?( ?(z|[+-]\d{2}(:?\d{2})?))?")
_BACK = re.compile(r"(?:-\s*(?P<minus>[\d.smhdwin ]+)|(?P<ago>[\d.smhdwin ]+?)\s+ago)")
_DAY_PART = re.compile(r"(\d+(?:\.\d+)?)([dw])")


class TimeError(ValueError):
    """A text that is no moment; its message is a sentence with examples."""


def parse(text: str, now: datetime, zone: ZoneInfo, *, end: bool = False) -> datetime:
    """The moment that `text` means to somebody in `zone` at `now`, in UTC.

    `end` says that a span ends there: of a clock time that occurred twice it is then the second. TimeError otherwise.
    """
    words = " ".join(text.lower().split())
    local_now = now.astimezone(zone)
    try:
        moment = _moment(words, local_now, zone, end=end)
    except (ValueError, OverflowError) as error:
        raise TimeError(_sentence(text, str(error))) from None
    if moment is None:
        raise TimeError(_sentence(text, ""))
    return moment


def render(moment: datetime, zone: ZoneInfo) -> str:
    """`2026-11-23 14:05:00 +01:00`."""
    text = moment.astimezone(zone).isoformat(" ", "seconds")
    return f"{text[:19]} {text[19:]}"


def iso(moment: datetime) -> str:
    """`2026-11-23T13:05:00Z`, with microseconds only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def us(moment: datetime) -> int:
    """The moment in µs of UTC, to the µs."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def of_us(moment_us: int) -> datetime:
    """The moment of so many µs of UTC. OverflowError when no calendar has it."""
    return _EPOCH + timedelta(microseconds=moment_us)


def _sentence(text: str, why: str) -> str:
    reason = f" ({why})" if why else ""
    return (
        f"{text!r} is no time I understand{reason}; "
        "write it as 2026-11-23, '2026-11-23 14:05', 14:05, 'tue 14:05', yesterday, -2h or now"
    )


def _moment(words: str, now: datetime, zone: ZoneInfo, *, end: bool) -> datetime | None:
    if not words or not words.isascii():
        return None
    if words == "now":
        return now.astimezone(UTC)
    if back := _BACK.fullmatch(words):
        return _back(back["minus"] or back["ago"], now, zone, end=end)
    if _ISO.fullmatch(words):
        stamp = words.replace(" ", "t", 1).replace(" ", "").replace(",", ".").upper()
        if len(stamp.split("T")[1].split(":")[0]) == 1:
            stamp = stamp.replace("T", "T0")
        at = datetime.fromisoformat(stamp)
        return _utc(at, zone, end=end) if at.tzinfo is None else at.astimezone(UTC)
    if _MONTH.fullmatch(words):
        return _utc(datetime.fromisoformat(words + "-01"), zone, end=end)
    day_word, _, clock_word = words.rpartition(" ") if ":" in words else (words, "", "")
    clock = _clock(clock_word) if clock_word else time()
    if clock is None:
        return None
    if not day_word:
        return _latest(now, zone, clock, days=1, end=end)
    for number, name in enumerate(_DAYS):
        if len(day_word) >= 3 and name.startswith(day_word):
            since_then = timedelta(days=(now.weekday() - number) % 7)
            return _latest(now - since_then, zone, clock, days=7, end=end, limit=now)
    day = _day(day_word, now)
    return None if day is None else _utc(datetime.combine(day, clock), zone, end=end)


def _day(word: str, now: datetime) -> date | None:
    if word == "today":
        return now.date()
    if word == "yesterday":
        return now.date() - timedelta(days=1)
    return date.fromisoformat(word) if _DATE.fullmatch(word) else None


def _clock(word: str) -> time | None:
    match = _CLOCK.fullmatch(word)
    return time(int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def _latest(
    day: datetime, zone: ZoneInfo, clock: time, *, days: int, end: bool, limit: datetime | None = None
) -> datetime:
    """The clock time on `day`, or `days` earlier when that is still to come."""
    moment = _utc(datetime.combine(day.date(), clock), zone, end=end)
    if moment > (limit or day):
        moment = _utc(datetime.combine(day.date() - timedelta(days=days), clock), zone, end=end)
    return moment


def _back(span: str, now: datetime, zone: ZoneInfo, *, end: bool) -> datetime:
    compact = span.replace(" ", "")
    whole_days = sum(float(number) * (7 if unit == "w" else 1) for number, unit in _DAY_PART.findall(compact))
    rest = _DAY_PART.sub("", compact)
    if rest and rest[-1].isdecimal():
        raise ValueError("it lacks a unit")
    elapsed = seconds(rest) if rest else 0.0
    if not whole_days:
        return now.astimezone(UTC) - timedelta(seconds=elapsed)
    naive = now.replace(tzinfo=None) - timedelta(days=whole_days)
    return _utc(naive, zone, end=end) - timedelta(seconds=elapsed)


def _utc(naive: datetime, zone: ZoneInfo, *, end: bool) -> datetime:
    first = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
    second = naive.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if first > second:
        # The gap of spring: read with the offset before the change it lies after it, and the other way round.
        return _change(second, first, zone)
    return second if end else first


def _change(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The moment, to the second, at which the zone's offset changes between two moments."""
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
