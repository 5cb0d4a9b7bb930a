"""The chain of journal files: each with the next one behind it, whose head says what the file before lost at its end.

A file that cannot be read is bridged: it becomes one without frames, which begins with what stood at the end of the
file before it, or in its own head if that was kept aside (`heads.py`). So its usage reaches from there to the next
head: nothing but resolution is lost, whether or not the file before was turned into usage while this one could still be
read.

A file that repeats frames of the one before it, and has lost them, is given them back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nasacct.errors import DATA, NasacctError
from nasacct.store import journal
from nasacct.store.heads import alone, head_of, read_head
from nasacct.store.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from nasacct.store.journal import JournalError

#: The number of a frame that no run of a collector reaches.
_NEVER = 1 << 62


def chain(paths: Sequence[Path], first: int = 0) -> Iterator[tuple[Path, Journal, Journal | None]]:
    """Each of the `paths` from number `first` on, with the next readable one behind it (None behind the last).

    Of files that cannot be read and that no readable one follows nothing is given. Of one that was put aside, the head
    that was kept is still behind the file before it. NasacctError when a file is of a newer version; OSError when one
    cannot be read now: nothing is known then of what it holds.
    """
    before: tuple[Path, Journal] | None = None
    broken: list[tuple[Path, JournalError]] = []
    gone = set(alone(paths[first:]))
    for at in sorted([*paths[first:], *gone], key=lambda path: path.stem):
        try:
            found = read_head(at) if at in gone else completed(_read(at), paths, at)
        except journal.JournalError as error:
            if at not in gone:
                broken.append((at, error))
            continue
        following = found
        bridges = []
        for path, why in reversed(broken):
            bridges.append((path, _bridge(paths, path, why, following), following))
            following = bridges[-1][1]
        if before is not None:
            yield *before, following
        yield from reversed(bridges)
        before, broken = None if at in gone else (at, found), []
    if before is not None:
        yield *before, None


def lacks(found: Journal, paths: Sequence[Path], path: Path) -> bool:
    """Whether the file at `path`, one of the `paths`, has not its first frame, and the file before may have it."""
    at = paths.index(path)
    run = path.stem.rpartition("-")[2]
    return (not found.frames or found.frames[0].seq > found.first_seq) and at > 0 and paths[at - 1].stem.endswith(run)


def completed(found: Journal, paths: Sequence[Path], path: Path) -> Journal:
    """The file at `path`, one of the `paths`, with those of its first frames that only the file before it holds.

    That one keeps frames which could not be synced; they count here. OSError.
    """
    before = _before(paths, path) if lacks(found, paths, path) else None
    if before is not None and before.origin.run == found.origin.run:
        until = found.frames[0].seq if found.frames else _NEVER
        found.frames[:0] = [f for f in before.frames if found.first_seq <= f.seq < until]
    return found


def _read(path: Path) -> Journal:
    try:
        return journal.read(path)
    except journal.NewerJournalError as error:
        raise NasacctError(str(error), DATA) from None


def _before(paths: Sequence[Path], at: Path) -> Journal | None:
    """The last readable file before that one."""
    for path in reversed(paths[: paths.index(at)]):
        try:
            return _read(path)
        except journal.JournalError:
            continue
    return None


def _bridge(paths: Sequence[Path], path: Path, why: JournalError, following: Journal) -> Journal:
    """What stands for a file, one of the `paths`, that cannot be read."""
    name, number = path.name, journal.number_of(path)
    trouble = f"{why}; its frames are lost"
    known = head_of(path)
    if known is not None:
        known.trouble, known.broken = trouble, True
        return completed(known, paths, path)
    before = _before(paths, path)
    if before is None:
        # nothing is known of before: what stands in the next head stands from there on
        return Journal(
            name, number, following.origin, _NEVER, following.at, following.carry, trouble=trouble, broken=True
        )
    same_run = before.origin.run == following.origin.run
    if same_run:
        # frames that could not be synced are in the following file again, and count there
        before.frames = [f for f in before.frames if f.seq < following.first_seq]
    at = before.frames[-1].at if before.frames else before.at
    first_seq = following.first_seq if same_run else _NEVER
    return Journal(name, number, before.origin, first_seq, at, before.standing(), trouble=trouble, broken=True)
