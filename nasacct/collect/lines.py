"""The lines of a kernel text, and the one error by which a broken text is refused.

Kernel files are ASCII lines, each ended by a newline. What is not so was cut or damaged on its way, and nothing in it
may be guessed. A number is a run of digits that fits a signed 64-bit integer.
"""

from __future__ import annotations

import re

#: The largest number taken as a counter: the largest int64 is what a parser in C makes of anything beyond.
LARGEST = 2**63 - 2

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class ParseError(ValueError):
    """A text that cannot be understood without guessing: the line (counted from 1) and a sentence that says why."""

    def __init__(self, line_no: int, sentence: str) -> None:
        super().__init__(f"line {line_no}: {sentence}")
        self.line_no = line_no
        self.sentence = sentence


def lines(text: bytes | str, *, errors: str = "strict") -> list[str]:
    """The text's lines without their newlines.

    `errors` is how bytes that are no UTF-8 are decoded. Raises ParseError for a text that is empty, is not text, or
    ends within a line.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if not data:
        raise ParseError(1, "the file is empty; read it again")
    try:
        decoded = data.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        line_no = data.count(b"\n", 0, error.start) + 1
        raise ParseError(line_no, f"byte {error.start} is not text; read the file again") from None
    control = _CONTROL.search(decoded)
    if control:
        line_no = decoded.count("\n", 0, control.start()) + 1
        raise ParseError(line_no, f"it holds the control character {control[0]!r}; read the file again")
    if not decoded.endswith("\n"):
        raise ParseError(decoded.count("\n") + 1, "it has no newline at its end, so it was cut; read the file again")
    return decoded[:-1].split("\n")


def fields(line: str) -> list[str]:
    """The words of a line, between spaces and tabs."""
    return [word for word in line.replace("\t", " ").split(" ") if word]


def number(word: str, line_no: int) -> int:
    """The word as a counter. Raises ParseError when it is anything but digits, or too large."""
    if not (word.isascii() and word.isdigit()):
        raise ParseError(line_no, f"{word!r} is not a number")
    if len(word) > 19 and len(word.lstrip("0")) > 19:
        raise ParseError(line_no, f"{word[:40]} is larger than any counter")
    value = int(word)
    if value > LARGEST:
        raise ParseError(line_no, f"{word[:40]} is larger than any counter")
    return value
