"""Kernels: asked again and again only where every known fault is mended; what nobody knows is not asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect.kernels import judge


@pytest.mark.parametrize(
    ("release", "state", "said"),
    [
        ("6.12.117+deb12-cloud-amd64", "safe", "6.12.117"),
        ("6.12.118", "safe", "6.12"),
        ("6.12.116", "unsafe", "before Linux 6.12.117"),
        ("6.12.95-amd64", "unsafe", "before Linux 6.12.117"),
        # a vendor's own numbers say nothing of what is in it
        ("6.12.0-124.8.1.el10_1.x86_64", "unsafe", "before Linux 6.12.117"),
        ("6.12", "unsafe", "before Linux 6.12.117"),
        ("6.18.49", "unsafe", "before Linux 6.18.50"),
        ("6.18.50", "unknown", "every fix"),
        ("6.8.0-90-generic", "unsafe", "never mended in Linux 6.8"),
        ("7.1.9", "unsafe", "never mended"),
        ("7.2.3", "unsafe", "before Linux 7.2.4"),
        ("7.2.4", "unknown", "every fix"),
        ("7.3.0-rc2", "unknown", "nothing is known"),
        ("6.1.0-53-amd64", "unsafe", "has no rpc-status-get"),
        ("5.15.167", "unsafe", "has no rpc-status-get"),
        ("plan9", "unknown", "no kernel release"),
        ("", "unknown", "no kernel release"),
    ],
)
def test_a_kernel_is_judged_by_its_line_and_number(release, state, said):
    """With the reason."""
    verdict = judge(release)
    assert (verdict.state, said in verdict.why) == (state, True)


@given(st.text(max_size=40))
def test_only_what_is_known_is_safe(release):
    """Whatever the text is, it is judged, and safe only as 6.12.117 or later in that line."""
    if judge(release).state == "safe":
        assert release.startswith("6.12.")
