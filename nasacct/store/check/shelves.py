"""One folder of segments: each of them, and whether something in it is counted twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nasacct.store.check.segments import examine
from nasacct.store.finding import Finding
from nasacct.store.journal import files
from nasacct.store.segment_file import digest_of
from nasacct.store.segments import Segment, named

if TYPE_CHECKING:
    from pathlib import Path

    from nasacct.store.segments import Footer
    from nasacct.store.tree import Relation, Tree

#: How often a folder is listed again because a keeper changes it.
_AGAIN = 10


@dataclass(slots=True)
class Shelved:
    """What lies in one folder of segments: the `sound` ones with their footers, `rows` in all, and what is wrong."""

    relation: Relation
    sound: dict[Segment, Footer] = field(default_factory=dict)
    files: int = 0
    rows: int = 0
    findings: list[Finding] = field(default_factory=list)


def look(relation: Relation, tree: Tree) -> Shelved:
    """Examine all files of a folder."""
    found = Shelved(relation)
    seen: set[Path] = set()
    for _ in range(_AGAIN):
        fresh = [p for p in sorted(relation.folder.iterdir()) if p not in seen] if relation.folder.is_dir() else []
        if not fresh:
            break
        for path in fresh:
            seen.add(path)
            _file(path, found, tree.node)
    for segment in [s for s in found.sound if not s.path.exists()]:
        del found.sound[segment]
    # how the rows of a replaced one lie is nobody's concern any more
    counted = {s.path for s in visible(found)}
    found.findings = [f for f in found.findings if f.path in counted or f.kind not in {"order", "duplicate"}]
    found.findings += _twice(found)
    found.findings += _others(found, tree)
    return found


def _file(path: Path, found: Shelved, node: str) -> None:
    segment = named(path)
    if segment is None:
        if path.name.startswith(".") and path.name.endswith(".tmp"):
            found.findings.append(Finding("leftover", path, "was left by a keeper that was killed"))
        else:
            found.findings.append(Finding("foreign", path, "is no segment"))
        return
    try:
        examined = examine(segment, found.relation, node)
    except FileNotFoundError:
        # replaced since the folder was listed; what replaces it comes with the next look
        return
    found.files += 1
    found.rows += examined.rows
    found.findings += examined.findings
    if examined.footer is not None and not any(f.kind in {"damaged", "schema", "footer"} for f in examined.findings):
        found.sound[segment] = examined.footer


def visible(found: Shelved) -> dict[Segment, Footer]:
    """The sound segments that no other one lists."""
    listed = {item.name for footer in found.sound.values() for item in footer.replaces}
    return {s: f for s, f in found.sound.items() if s.name not in listed}


def _twice(found: Shelved) -> list[Finding]:
    """Segments of the same journal files that are not one inside of the other."""
    told = []
    claimed: list[tuple[Segment, Footer]] = []
    for segment, footer in sorted(visible(found).items(), key=lambda item: item[0].name):
        both = [other.name for other, said in claimed if said.journals.meets(footer.journals)]
        told += [
            Finding("duplicate", segment.path, f"is made of journal files of which {name} is too") for name in both
        ]
        claimed.append((segment, footer))
    return told


def _others(found: Shelved, tree: Tree) -> list[Finding]:
    """Journal files that are not what segments were made of."""
    said = {item.name: item.digest for footer in visible(found).values() for item in footer.replaces}
    told = []
    for path in files(tree.journal):
        try:
            if path.name in said and digest_of(path) != said[path.name]:
                told.append(Finding("changed", path, "is not what segments were made of; nothing of it counts"))
        except OSError:
            continue
    return told
