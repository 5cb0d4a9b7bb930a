"""Chronicles: files at the root in which stands what people said.

    ROOT/notes.jsonl, notes.lock              what happened beside the load (`notes.py`)
    ROOT/judgements.jsonl, judgements.lock    which verdicts were right (`judgements.py`)

First `{"nasacct_notes": 1}` (`nasacct_judgements`), then a line for each entry:

    {"id": "2a4f09c1", "told": "2026-11-27T15:00:00Z", "by": "jana", "text": "replaced sdc", "erased": null,
     "is": {...}, "sum": "1f0c2a77"}

Entries are only added, at the end. Who takes one back adds one that says so; so two stores that learn of each other
have all of both. One thing is changed: a text can be erased, for whoever is named in it. The sum is that of
`summed.py`.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from nasacct.errors import DATA, USAGE, NasacctError, of_os
from nasacct.store import summed
from nasacct.store.root import existing, hold, write_atomically
from nasacct.times import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

#: The version of the files.
FORMAT = 1
#: The longest text, and the longest name of somebody, in characters.
LONGEST, LONGEST_NAME = 2000, 100
_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody said: `by` whom (None: not said), when (`told`, UTC), in which words.

    `said` is what it says beside, as its chronicle defines. `erased`: when its text was taken away.
    """

    id: str
    told: datetime
    by: str | None
    text: str | None
    said: Mapping[str, Any]
    erased: datetime | None = None

    def encode(self) -> str:
        """Its line."""
        erased = iso(self.erased) if self.erased else None
        return summed.with_sum(
            {
                "id": self.id,
                "told": iso(self.told),
                "by": self.by,
                "text": self.text,
                "erased": erased,
                "is": dict(self.said),
            }
        )

    @classmethod
    def decode(cls, line: str) -> Entry:
        """The entry of a line; ValueError, KeyError, TypeError, AttributeError when it is none."""
        found = summed.decoded(line)
        named, said, by, text = found["id"], found["is"], found["by"], found["text"]
        if not (isinstance(named, str) and named and isinstance(said, dict)):
            raise ValueError("it has no id, or says nothing")
        if not all(each is None or isinstance(each, str) for each in (by, text)):
            raise ValueError("its words are no text")
        erased = None if found["erased"] is None else datetime.fromisoformat(found["erased"]).astimezone(UTC)
        return cls(named, datetime.fromisoformat(found["told"]).astimezone(UTC), by, text, said, erased)

    @property
    def order(self) -> tuple[datetime, str]:
        """By what entries are in order, in every store that has them."""
        return self.told, self.id


@dataclass(frozen=True, slots=True)
class Chronicle:
    """One of the files: `called` as in its name, and what an entry in it must say.

    `check` raises ValueError, KeyError, TypeError, AttributeError for what is none of its entries.
    """

    called: str
    check: Callable[[Mapping[str, Any]], object]

    @property
    def file(self) -> str:
        """Its name below the root."""
        return f"{self.called}.jsonl"

    @property
    def lock(self) -> str:
        """The name of the file that who writes holds."""
        return f"{self.called}.lock"

    def read(self, root: Path) -> list[Entry]:
        """The entries of a store in the order in which it learned of them. As `decoded`; OSError."""
        path = root / self.file
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return []
        return self.decoded(content, str(path))

    def decoded(self, content: bytes, named: str) -> list[Entry]:
        """The entries of a file's content, which is `named` so.

        NasacctError when it is of a newer version, or when a line is damaged: what it said is not left out unseen.
        """
        head, *lines = content.decode(errors="replace").split("\n")
        try:
            version = json.loads(head)[self._key]
        except _DAMAGE:
            raise _damaged(named, 1, f"it is no head of {self.called}") from None
        if version != FORMAT:
            raise NasacctError(f"{named} is of version {version}, this nasacct knows {FORMAT}; update it", DATA)
        if not lines or lines.pop():
            raise _damaged(named, len(lines) + 2, "it does not end")
        found = []
        for number, line in enumerate(lines, 2):
            try:
                found.append(Entry.decode(line))
                self.check(found[-1].said)
            except _DAMAGE as error:
                raise _damaged(named, number, str(error)) from None
        return found

    def add(
        self,
        root: Path,
        said: Callable[[list[Entry]], Mapping[str, Any]],
        now: datetime,
        *,
        text: str | None = None,
        by: str | None = None,
        after: Callable[[Entry], bool] = lambda _: False,
    ) -> Entry:
        """Add what somebody says, made of the entries before it, and give it back.

        Whatever the clock says, it is told later than those that `after` names. NasacctError when another process
        writes there just now, when the words are none, or as for `read`; OSError when the disk does not take it.
        """
        _refuse(text, "the text", LONGEST)
        _refuse(by, "--by", LONGEST_NAME)
        made: list[Entry] = []

        def added(before: list[Entry]) -> list[Entry]:
            taken = {entry.id for entry in before}
            named = next(each for each in iter(lambda: secrets.token_hex(4), "") if each not in taken)
            later = (entry.told + timedelta(microseconds=1) for entry in before if after(entry))
            told = max([now.astimezone(UTC), *later])
            made.append(Entry(named, told, by, text, said(before)))
            self.check(made[0].said)
            return [*before, made[0]]

        self._change(root, added)
        return made[0]

    def erase(self, root: Path, what: Callable[[Entry], bool], now: datetime) -> int:
        """Take away the texts of some entries, for ever; of how many. Errors as those of `add`."""
        erased = now.astimezone(UTC).replace(microsecond=0)
        count = 0

        def without(before: list[Entry]) -> list[Entry]:
            nonlocal count
            after = [replace(e, text=None, erased=erased) if e.text is not None and what(e) else e for e in before]
            count = sum(a != b for a, b in zip(after, before, strict=True))
            return after

        self._change(root, without)
        return count

    def merge(self, root: Path, others: Iterable[Entry]) -> None:
        """Add what another store was told; what was erased in one has no text in either. Errors as for `add`."""

        def merged(before: list[Entry]) -> list[Entry]:
            known = {entry.id: entry for entry in before}
            for theirs in others:
                mine = known.get(theirs.id)
                if mine is None or (theirs.erased and not mine.erased):
                    known[theirs.id] = theirs
            return list(known.values())

        self._change(root, merged)

    @property
    def _key(self) -> str:
        return f"nasacct_{self.called}"

    def _change(self, root: Path, change: Callable[[list[Entry]], list[Entry]]) -> None:
        existing(root)
        with hold(root / self.lock, f"{root / self.file} is being written", "or say it again"):
            try:
                before = self.read(root)
                after = change(list(before))
                if after != before:
                    lines = [summed.line({self._key: FORMAT}), *(entry.encode() for entry in after)]
                    write_atomically(root / self.file, "".join(f"{line}\n" for line in lines).encode())
            except OSError as error:
                raise of_os(error, f"reading or writing {root / self.file}") from None


def _refuse(words: str | None, called: str, longest: int) -> None:
    """NasacctError when words are none, or not to be written."""
    if words is None:
        return
    if not words.strip():
        raise NasacctError(f"{called} says nothing; write some words", USAGE)
    if len(words) > longest:
        raise NasacctError(f"{called} is longer than {longest} characters; write less", USAGE)
    try:
        words.encode()
    except UnicodeEncodeError:
        raise NasacctError(f"{called} is not UTF-8; write it in a terminal that is", USAGE) from None


def _damaged(named: str, line: int, why: str) -> NasacctError:
    return NasacctError(f"line {line} of {named} is damaged: {why}; bring the file back from a copy", DATA)
