"""Numbers as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct import units


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9994, "9.99 kB"),
        (9995, "10.0 kB"),
        (99949, "99.9 kB"),
        (99951, "100 kB"),
        (999499, "999 kB"),
        (999500, "1.00 MB"),
        (98172928, "98.2 MB"),
        (86114304, "86.1 MB"),
        (-1500, "-1.50 kB"),
        (0.5, "0.50 B"),
        (2**63 - 1, "9.22 EB"),
    ],
)
def test_bytes_have_three_digits_and_decimal_prefixes(value, shown):
    """1 MB is 1,000,000 bytes; below 1000 the number is exact."""
    assert units.in_bytes(value) == shown


def test_rates_and_counts():
    """Rates carry /s, bits are bits, counts keep every digit, small shares keep one more."""
    assert units.in_bytes_per_s(1250000) == "1.25 MB/s"
    assert units.in_bits_per_s(10_000_000_000) == "10.0 Gbit/s"
    assert units.in_count(21646995) == "21,646,995"
    assert [units.in_percent(x) for x in (0, 0.0042, 0.824, 1)] == ["0 %", "0.4 %", "82 %", "100 %"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 s"),
        (0.0000042, "4.2 us"),
        (0.0042, "4.2 ms"),
        (0.9996, "1 s"),
        (12.345, "12.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (93784, "1 d 2 h"),
        (-5400, "-1 h 30 min"),
    ],
)
def test_durations_have_two_units(value, shown):
    """The largest unit and, unless it is none, the next."""
    assert units.in_duration(value) == shown


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90", 90),
        ("90s", 90),
        ("10m", 600),
        ("10 min", 600),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1w", 604800),
        ("500ms", 0.5),
        ("1.5h", 5400),
    ],
)
def test_lengths_are_read(text, length):
    """As people write them."""
    assert units.seconds(text) == length


@pytest.mark.parametrize("text", ["", "s", "-5s", "5 parsecs", "1h30", "10,5s", "٣s", "1e3s", "nan", "inf"])
def test_no_length_is_refused_with_examples(text):
    """Anything else is an error that shows how to write it."""
    with pytest.raises(ValueError, match="1h30m"):
        units.seconds(text)


@given(st.integers(1, 10**9))
def test_shown_bytes_are_near_the_truth(value):
    """What is shown is within half a unit of its last digit: 0.5 %."""
    number, unit = units.in_bytes(value).split()
    factor = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}[unit]
    assert abs(float(number) * factor - value) <= 0.005 * value
