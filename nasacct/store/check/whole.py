"""The whole check of a store: every tree's files, then what they say of each other, then the sealed months."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nasacct.errors import NasacctError
from nasacct.store import addresses, forgotten, inventory, journal, judged, judgements, notes, strikes
from nasacct.store import root as store_root
from nasacct.store.check.journals import journal_findings
from nasacct.store.check.rollups import rollup_findings
from nasacct.store.check.shelves import look
from nasacct.store.check.telescoping import usage_findings
from nasacct.store.copies import GONE, MARK, STAGE
from nasacct.store.cuts import FILE, unlike_sums
from nasacct.store.finding import Finding
from nasacct.store.heads import heads
from nasacct.store.place import held
from nasacct.store.schema import STREAMS
from nasacct.store.seals import seals, verify
from nasacct.store.segments import SegmentError
from nasacct.store.tree import STEPS, Tree, trees

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nasacct.store.stream import Stream

#: What belongs into a node's tree beside folders of segments.
_OURS = frozenset(
    {"journal", "readings", "usage", "rollup", "cuts", "quarantine", judged.FOLDER}
    | {"collect.lock", "keep.lock", "keep.json", "address.key", addresses.FILE}
)
#: How often a comparison is begun anew because a keeper replaces what it reads.
_AGAIN = 10
#: What a store has besides its trees.
_ROOTS = frozenset(
    {"store.json", "sealed", FILE, "cuts.lock", inventory.FILE, "inventory.lock", forgotten.FILE, STAGE}
    | {name for each in (notes.CHRONICLE, judgements.CHRONICLE) for name in (each.file, each.lock)}
)
#: What a copy has besides.
_COPYS = frozenset({"pull.lock", MARK, GONE})


@dataclass(slots=True)
class Report:
    """What was looked at and what is wrong: `files` and `rows` in them, sealed `months` with the digest of the last.

    `findings` are in the order in which they were met, each once.
    """

    files: int = 0
    rows: int = 0
    months: int = 0
    head: str | None = None
    findings: list[Finding] = field(default_factory=list)

    def add(self, more: list[Finding]) -> None:
        """Take findings that were not met before."""
        self.findings += [f for f in dict.fromkeys(more) if f not in self.findings]


def check(root: Path) -> Report:
    """Read all of the store. NasacctError when there is none, or it is of a newer version; OSError."""
    store_root.existing(root)
    report = Report()
    for tree in trees(root):
        of_tree(tree, report)
    for path in sorted(root.iterdir()):
        if not path.name.startswith("node=") and path.name not in _ROOTS:
            report.add([_stray(path)])
    told = {inventory.FILE: inventory.read, **{e.file: e.read for e in (notes.CHRONICLE, judgements.CHRONICLE)}}
    for name, read in told.items():
        try:
            read(root)
        except NasacctError as error:
            report.add([Finding("damaged", root / name, f"says nothing: {error.sentence}")])
    try:
        report.add(verify(root))
        months = seals(root)
    except NasacctError as error:
        report.add([Finding("newer", root / "sealed", f"is of a newer version: {error.sentence}")])
    else:
        report.months, report.head = len(months), months[-1].digest if months else None
        report.files += len(months)
        report.rows += sum(month.rows for month in months)
    return report


def of_tree(tree: Tree, report: Report) -> None:
    """Read all of one node's tree and add to the report what was found."""
    found = list(journal_findings(tree, written=_runs(tree, "collect")))
    report.files += len(journal.files(tree.journal))
    for relation in tree.every():
        shelved = look(relation, tree)
        found += shelved.findings
        report.files += shelved.files
        report.rows += shelved.rows
    found += [*_strays(tree), *_book_findings(tree), *judged.findings(tree)]
    report.files += len(judged.listed(tree))
    bad = {f.path: "" for f in found if f.kind in {"damaged", "schema", "newer", "unreadable"}}
    compared = list(_compared(tree, bad))
    if any(f.kind == "missing" for f in compared) and _runs(tree, "keep"):
        # it may just have been being made
        compared = [f for f in _compared(tree, bad) if f in compared]
    # what is being written now is not left over, and what was replaced meanwhile is no fault of the store
    written = {role: _runs(tree, role) for role in ("collect", "keep")}
    report.add(
        [
            f
            for f in (*found, *compared)
            if os.path.lexists(f.path)
            and not (f.kind == "leftover" and written["collect" if f.path.parent == tree.journal else "keep"])
        ]
    )


def _compared(tree: Tree, bad: dict[Path, str]) -> Iterator[Finding]:
    """What was made of others, against these."""
    for stream in STREAMS.values():
        for findings in (usage_findings, rollup_findings, _cut_findings):
            for _ in range(_AGAIN):
                with suppress(FileNotFoundError):
                    # replaced while it was read: what replaces it is there by now
                    yield from list(findings(tree, stream, bad))
                    break


def _cut_findings(tree: Tree, stream: Stream, bad: dict[Path, str]) -> Iterator[Finding]:
    """What is kept of usage for ever and is not what its sums were made of."""
    if bad:
        # then sums may lack something
        return
    for segment in unlike_sums(tree, stream):
        yield Finding("cut", segment.path, "is not what the sums of its 5 minutes hold; bring it back from a copy")


def _book_findings(tree: Tree) -> Iterator[Finding]:
    """What is wrong with the address book."""
    path = tree.folder / addresses.FILE
    try:
        addresses.book(tree.folder)
    except SegmentError:
        yield Finding("damaged", path, "has lines that are no entries; the keeper puts it aside and keeps the others")
    except NasacctError as error:
        yield Finding("newer", path, f"is of a newer version: {error.sentence}")
    except OSError as error:
        yield Finding("unreadable", path, f"cannot be read: {error.strerror}")


def _runs(tree: Tree, role: str) -> bool:
    return f"{tree.node}/{role}" in held(tree.root)


def _strays(tree: Tree) -> Iterator[Finding]:
    """What lies in a tree and is none of its files."""
    for path in sorted(tree.folder.iterdir()):
        if path.name not in _OURS | _COPYS and not strikes.is_one(path):
            yield _stray(path)
    named = {p.name for p in (*journal.files(tree.journal), *heads(tree.journal))}
    for path in sorted(tree.journal.iterdir()) if tree.journal.is_dir() else ():
        if path.name not in named:
            yield _stray(path)
    folders = [tree.folder / kind for kind in ("usage", "readings", "cuts")] + [
        tree.folder / "rollup" / s for s in STEPS
    ]
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name not in STREAMS:
                yield Finding("foreign", path, "is no stream that this nasacct knows; what it holds is not looked at")
    rollup = tree.folder / "rollup"
    for path in sorted(rollup.iterdir()) if rollup.is_dir() else ():
        if path.name not in STEPS:
            yield _stray(path)
    for path in sorted(tree.quarantine.iterdir()) if tree.quarantine.is_dir() else ():
        yield Finding("quarantine", path, "was put aside; what only it held is lost")


def _stray(path: Path) -> Finding:
    if path.name.startswith(".") and path.name.endswith(".tmp"):
        return Finding("leftover", path, "was left by a program that was killed")
    return Finding("foreign", path, "does not belong there")
