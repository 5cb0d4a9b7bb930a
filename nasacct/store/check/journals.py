"""The journal's files: frames and checksums, the head, and who wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from nasacct.store import journal
from nasacct.store.finding import Finding
from nasacct.store.heads import heads, read_head

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nasacct.store.journal import Journal
    from nasacct.store.tree import Tree


def journal_findings(tree: Tree, *, written: bool) -> Iterator[Finding]:
    """What is wrong with the journal of a node; `written`: a collector writes to it at this moment."""
    paths = journal.files(tree.journal)
    numbers: dict[int, Path] = {}
    for path in paths:
        try:
            # what the collector has not written to the end yet is no fault
            yield from _file(path, tree, growing=written and path == paths[-1])
        except FileNotFoundError:
            continue
        number = journal.number_of(path)
        if number in numbers:
            yield Finding("duplicate", path, f"has the same number as {numbers[number].name}")
        numbers[number] = path
    for path in heads(tree.journal):
        try:
            read_head(path)
        except FileNotFoundError:
            continue
        except journal.JournalError as error:
            yield Finding("damaged", path, str(error).removeprefix(f"{path}: "))


def _file(path: Path, tree: Tree, *, growing: bool) -> Iterator[Finding]:
    try:
        found = journal.read(path)
    except journal.NewerJournalError as error:
        yield Finding("newer", path, str(error).removeprefix(f"{path}: "))
    except journal.JournalError as error:
        if not growing:
            yield Finding("damaged", path, str(error).removeprefix(f"{path}: "))
    except FileNotFoundError:
        raise
    except OSError as error:
        yield Finding("unreadable", path, f"cannot be read now ({(error.strerror or str(error)).lower()})")
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, pa.ArrowException) as error:
        # its checksums are right, so somebody wrote it so
        yield Finding("damaged", path, f"is not written as a journal is ({type(error).__name__}: {error})")
    else:
        if found.trouble and not growing:
            yield Finding("torn", path, f"has a {found.trouble}; what is whole counts, what is lost is bridged")
        for sentence in _head(found, tree):
            yield Finding("footer", path, sentence)


def _head(found: Journal, tree: Tree) -> Iterator[str]:
    if found.origin.node != tree.node:
        yield f"was written by the node {found.origin.node}, but lies in the tree of {tree.node}"
    if journal.file_name(found.number, found.at, found.origin.run) != found.name:
        yield "says another start or run than its name"
    expected = found.first_seq
    for frame in found.frames:
        if frame.seq < expected:
            yield f"has the frame {frame.seq} out of order"
            return
        expected = frame.seq + 1
