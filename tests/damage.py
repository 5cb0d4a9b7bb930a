"""Texts that were damaged on their way."""

from hypothesis import strategies as st


@st.composite
def damaged(draw, text):
    """The text, of which something was cut out, and into which something was put."""
    begin = draw(st.integers(0, len(text)))
    return text[:begin] + draw(st.binary(max_size=20)) + text[draw(st.integers(begin, len(text))) :]
