"""The number of accepted connections: of the kernel's text, and a sentence for anything else."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect.lines import ParseError
from nasacct.collect.opens import Opens, passive_opens

TEXT = Path("/proc/self/net/snmp").read_bytes()


def test_it_is_the_kernels_number():
    """Of a text as it is now."""
    names, values = (line.split() for line in TEXT.decode().splitlines() if line.startswith("Tcp:"))
    assert passive_opens(TEXT) == int(dict(zip(names, values, strict=True))["PassiveOpens"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "empty"),
        (b"Tcp: PassiveOpens\nTcp: -1\n", "'-1' is not a number"),
        (b"Tcp: PassiveOpens\nTcp: 1 2\n", "line 2: it does not say PassiveOpens"),
        (b"Tcp: ActiveOpens\nTcp: 1\n", "line 2: it does not say PassiveOpens"),
        (b"Tcp: PassiveOpens\n", "it says nothing of TCP"),
        (b"Tcp: PassiveOpens\nTcp: 1", "no newline"),
    ],
)
def test_what_says_no_number_is_refused(text, why):
    """Nothing is guessed."""
    with pytest.raises(ParseError, match=why):
        passive_opens(text)


CUT = st.builds(lambda at, more: TEXT[:at] + more, st.integers(0, len(TEXT)), st.binary(max_size=3))


@given(text=st.one_of(st.binary(max_size=300), CUT))
def test_any_text_gives_a_number_or_a_sentence(text):
    """Whatever comes instead of the kernel's."""
    with contextlib.suppress(ParseError):
        assert passive_opens(text) >= 0


def test_what_is_closed_says_so():
    """The namespace is let go; who asks on is told."""
    opens = Opens()
    assert opens.read() >= 0
    opens.close()
    with pytest.raises(OSError, match="closed"):
        opens.read()
