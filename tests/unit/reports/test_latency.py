"""How long calls took, from counts by powers of two."""

from hypothesis import given
from hypothesis import strategies as st

from nasacct.reports.latency import quantile_us


def test_the_bucket_of_the_call_bounds_it():
    """Of a hundred calls of which ninety took at most 128 us, the median is in there and the 95th in the slow one."""
    calls = [0] * 24
    calls[7], calls[13] = 90, 10
    assert quantile_us(calls, 0.5) == (64, 128)
    assert quantile_us(calls, 0.95) == (4096, 8192)


def test_the_ends_have_their_own_bounds():
    """The fastest took no time at all at least, and of the slowest nobody knows the most."""
    assert quantile_us([5] + [0] * 23, 0.5) == (0, 1)
    assert quantile_us([0] * 23 + [5], 0.5) == (1 << 22, None)
    assert quantile_us([0] * 24, 0.5) is None


@given(st.lists(st.integers(0, 30_000_000), min_size=1, max_size=200), st.floats(0.01, 1))
def test_the_truth_lies_within(times, share):
    """For any calls the quantile as it is defined lies between the bounds."""
    calls = [0] * 24
    for us in times:
        calls[min(max(us - 1, 0).bit_length(), 23)] += 1
    low, high = quantile_us(calls, share)
    ordered = sorted(times)
    truth = next(us for i, us in enumerate(ordered, 1) if i >= share * len(ordered))
    assert low <= truth
    assert high is None or truth <= high
