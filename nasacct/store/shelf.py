"""The shelf: which segments of a folder a reader sees.

A file is hidden only if another whole one lists it. Nobody ever asks a glob: what is torn, foreign or still being
written is told as trouble and left out, and it fails no query.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nasacct.errors import DATA, NasacctError, not_now
from nasacct.store.journal_spans import Spans, apart
from nasacct.store.segments import Footer, Replaced, Segment, SegmentError, footer, listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path


@dataclass(slots=True)
class Shelf:
    """What lies in one folder: the segments a reader sees, with their footers.

    `hidden` are sound files that a visible one replaces, `replaced` everything replaced, by name, with the segment
    that says so (a visible one, unless none does); `trouble` is told in sentences.
    """

    visible: dict[Segment, Footer] = field(default_factory=dict)
    hidden: dict[Segment, Footer] = field(default_factory=dict)
    replaced: dict[str, tuple[Replaced, Segment]] = field(default_factory=dict)
    damaged: list[Path] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    @property
    def journals(self) -> Spans:
        """The journal files of which the visible segments were made."""
        return Spans.all(said.journals for said in self.visible.values())


def shelf(
    where: Path,
    since_us: int | None = None,
    until_us: int | None = None,
    also_at: Iterable[int] = (),
    left_out: Mapping[Path, str] | None = None,
    unasked: Collection[str] = (),
) -> Shelf:
    """What a reader sees in the folder `where` of the time from `since_us` to `until_us` (None: without end).

    `also_at` are seconds at which journal files begin: to know whether those are replaced, what reaches over these
    moments is looked at as well. `left_out` makes it a reader's look: a file that cannot be read now is told and left
    out, as are these, each with the sentence that says why. Without it such a file is an OSError, because whoever makes
    or deletes files must know of all what they replace. Segments with the digests `unasked` are as if not there.
    NasacctError when a segment's version is newer than this program.
    """
    for _ in range(10):
        try:
            return _look(where, since_us, until_us, sorted(also_at), left_out, unasked)
        except FileNotFoundError:
            # replaced and deleted since it was listed: what replaces it is there by now
            continue
    raise NasacctError(f"{where} changes faster than it can be read; is the clock of this machine right?", DATA)


def _look(
    where: Path,
    since_us: int | None,
    until_us: int | None,
    moments: list[int],
    left_out: Mapping[Path, str] | None,
    unasked: Collection[str],
) -> Shelf:
    found = Shelf()
    try:
        every, others = listed(where)
    except FileNotFoundError:
        return found
    except OSError as error:
        if left_out is None:
            raise
        found.trouble.append(not_now(error))
        return found
    found.trouble += [f"{where / name} is no segment and is left out; move it away" for name in others]
    first, last = (moments[0], moments[-1]) if moments else (0, -1)
    wanted = [
        s
        for s in every
        if s.digest not in unasked
        and (
            reaches(s, since_us, until_us)
            or (s.until >= first and s.since <= last and any(s.since <= m <= s.until for m in moments))
        )
    ]
    sound: dict[Segment, Footer] = {}
    for segment in wanted:
        if left_out and segment.path in left_out:
            found.trouble.append(left_out[segment.path])
            continue
        try:
            sound[segment] = footer(segment)
        except SegmentError as error:
            found.damaged.append(segment.path)
            found.trouble.append(f"{error}; it is left out")
        except OSError as error:
            if left_out is None or isinstance(error, FileNotFoundError):
                raise
            found.trouble.append(not_now(error))
    replaced = {item.name for said in sound.values() for item in said.replaces}
    for segment, said in sound.items():
        (found.hidden if segment.name in replaced else found.visible)[segment] = said
    for segment, said in (*found.hidden.items(), *found.visible.items()):
        found.replaced.update((item.name, (item, segment)) for item in said.replaces)
    _once(found)
    return found


def reaches(segment: Segment, since_us: int | None, until_us: int | None) -> bool:
    """Whether the segment may have rows between these moments (µs of UTC; None: without end)."""
    return (until_us is None or segment.since * 1_000_000 <= until_us) and (
        since_us is None or segment.until * 1_000_000 >= since_us
    )


def _once(found: Shelf) -> None:
    """Hide what was made twice of the same journal files, as when two keepers ran on two copies of a store."""
    if apart(said.journals for said in found.visible.values()):
        return
    claimed = Spans()
    for segment, said in sorted(found.visible.items(), key=lambda item: (-item[1].journals.count, item[0].name)):
        mine = said.journals
        if mine and claimed.covers(mine):
            found.hidden[segment] = found.visible.pop(segment)
            found.trouble.append(f"{segment.path} repeats what other segments hold and is left out")
        elif claimed.meets(mine):
            found.trouble.append(f"{segment.path} repeats a part of what other segments hold; that part counts twice")
        claimed |= mine
