"""Moments as people write and read them, in Prague: +01:00, in summer +02:00."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.times import TimeError, iso, parse, render

PRAGUE = ZoneInfo("Europe/Prague")
#: A Monday, 14:30 in Prague.
NOW = datetime(2026, 11, 23, 13, 30, 15, tzinfo=UTC)

MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants them naive


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", "2026-11-23 13:30:15"),
        ("today", "2026-11-22 23:00"),
        ("yesterday", "2026-11-21 23:00"),
        ("yesterday 14:05", "2026-11-22 13:05"),
        ("14:05", "2026-11-23 13:05"),
        ("14:05:07", "2026-11-23 13:05:07"),
        ("14:45", "2026-11-22 13:45"),  # still to come today
        ("9:00", "2026-11-23 08:00"),
        ("tue 14:05", "2026-11-17 13:05"),
        ("Tuesday 14:05", "2026-11-17 13:05"),
        ("tue", "2026-11-16 23:00"),
        ("mon 14:05", "2026-11-23 13:05"),
        ("mon 14:45", "2026-11-16 13:45"),
        ("2026-11-23", "2026-11-22 23:00"),
        ("2026-11", "2026-10-31 23:00"),
        ("2026-11-23 14:05", "2026-11-23 13:05"),
        ("2026-11-23T14:05:30", "2026-11-23 13:05:30"),
        ("2026-07-01 14:05", "2026-07-01 12:05"),
        ("2026-11-23T14:05Z", "2026-11-23 14:05"),
        ("2026-11-23 14:05:00.250 +05:30", "2026-11-23 08:35:00.250"),
        ("2026-11-23 14:05 +01:00", "2026-11-23 13:05"),
        ("-2h", "2026-11-23 11:30:15"),
        ("2h ago", "2026-11-23 11:30:15"),
        ("90 min ago", "2026-11-23 12:00:15"),
        ("-1h30m", "2026-11-23 12:00:15"),
        ("-1d", "2026-11-22 13:30:15"),
        ("-1w", "2026-11-16 13:30:15"),
        ("-30d", "2026-10-24 12:30:15"),  # over the end of summer time: the same clock time
        ("-1d12h", "2026-11-22 01:30:15"),
    ],
)
def test_moments_are_understood(text, moment):
    """As an admin in Prague means them."""
    assert parse(text, NOW, PRAGUE) == utc(moment)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "25:00",
        "2026-02-30",
        "2026-13",
        "14:5",
        "tu 14:05",
        "-2",
        "- ",
        "2h",
        "ago",
        "-5 parsecs",
        "14:05 tue",
        "2026-11-23 14:05 Prague",
        "yesterday yesterday",
        "-99999999d",
        "mondayx",
        "\u0661\u0664:\u0660\u0665",
    ],
)
def test_no_moment_is_refused_in_one_sentence(text):
    """What is not understood is said back with examples, never guessed."""
    with pytest.raises(TimeError) as told:
        parse(text, NOW, PRAGUE)
    assert repr(text) in str(told.value)
    assert "yesterday" in str(told.value)
    assert "\n" not in str(told.value)


def test_clock_time_that_occurs_twice():
    """02:30 on the last Sunday of October: a span starts at the first and ends at the second."""
    assert parse("2026-10-25 02:30", NOW, PRAGUE) == utc("2026-10-25 00:30")
    assert parse("2026-10-25 02:30", NOW, PRAGUE, end=True) == utc("2026-10-25 01:30")


def test_clock_time_that_never_was():
    """02:30 on the last Sunday of March is the moment when the clock went from 02:00 to 03:00, for starts and ends."""
    for end in (False, True):
        assert parse("2026-03-29 02:30", NOW, PRAGUE, end=end) == utc("2026-03-29 01:00")


def test_days_are_as_long_as_they_were():
    """The day summer time ends has 25 hours, and `-1d` over it is the same clock time."""
    length = parse("2026-10-26", NOW, PRAGUE) - parse("2026-10-25", NOW, PRAGUE)
    assert length == timedelta(hours=25)
    noon_after = utc("2026-10-25 11:00")
    assert parse("-1d", noon_after, PRAGUE) == utc("2026-10-24 10:00")
    assert parse("-24h", noon_after, PRAGUE) == utc("2026-10-24 11:00")


def test_moments_are_shown_with_their_offset():
    """The two 02:30 of October differ, and so do zones west of Greenwich and with half hours."""
    assert render(utc("2026-10-25 00:30"), PRAGUE) == "2026-10-25 02:30:00 +02:00"
    assert render(utc("2026-10-25 01:30"), PRAGUE) == "2026-10-25 02:30:00 +01:00"
    assert render(utc("2026-11-23 13:05"), ZoneInfo("America/New_York")) == "2026-11-23 08:05:00 -05:00"
    assert render(utc("2026-11-23 13:05"), ZoneInfo("Asia/Kolkata")) == "2026-11-23 18:35:00 +05:30"
    assert iso(utc("2026-11-23 13:05")) == "2026-11-23T13:05:00Z"


@given(
    MOMENTS,
    st.sampled_from(["Europe/Prague", "America/St_Johns", "UTC"]),
)
def test_what_is_shown_is_understood(at, name):
    """Every moment, shown with its offset, reads back as itself to the second."""
    moment, zone = at.replace(microsecond=0), ZoneInfo(name)
    assert parse(render(moment, zone), NOW, zone) == moment
    assert parse(iso(moment), NOW, zone) == moment


@given(MOMENTS, st.integers(0, 23), st.integers(0, 59))
def test_clock_time_is_the_latest_that_was(now, hour, minute):
    """A clock time without a date lies in the past, but by no more than a day (25 hours, once a year)."""
    for end in (False, True):
        moment = parse(f"{hour:02}:{minute:02}", now, PRAGUE, end=end)
        assert timedelta(0) <= now - moment <= timedelta(hours=26)
