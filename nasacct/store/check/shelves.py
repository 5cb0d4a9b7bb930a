"""One folder of segments: each of them, and whether something in it is counted twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nasacct.store.check.segments import Place, examine
from nasacct.store.finding import Finding
from nasacct.store.journal import files
from nasacct.store.segment_file import digest_of
from nasacct.store.segments import JOURNAL, Segment, named

if TYPE_CHECKING:
    from pathlib import Path

    from nasacct.store.segments import Footer
    from nasacct.store.tree import Tree

#: How often a folder is listed again because a keeper changes it.
_AGAIN = 10


@dataclass(slots=True)
class Shelved:
    """What lies in one folder of segments: the `sound` ones with their footers, `rows` in all, and what is wrong."""

    place: Place
    sound: dict[Segment, Footer] = field(default_factory=dict)
    files: int = 0
    rows: int = 0
    findings: list[Finding] = field(default_factory=list)


def look(place: Place, tree: Tree) -> Shelved:
    """Examine all files of a folder."""
    found = Shelved(place)
    seen: set[Path] = set()
    for _ in range(_AGAIN):
        fresh = [p for p in sorted(place.folder.iterdir()) if p not in seen] if place.folder.is_dir() else []
        if not fresh:
            break
        for path in fresh:
            seen.add(path)
            _file(path, found)
    for segment in [s for s in found.sound if not s.path.exists()]:
        del found.sound[segment]
    found.findings += _twice(found)
    found.findings += _others(found, tree)
    return found


def _file(path: Path, found: Shelved) -> None:
    segment = named(path)
    if segment is None:
        if path.name.startswith(".") and path.name.endswith(".tmp"):
            found.findings.append(Finding("leftover", path, "was left by a keeper that was killed"))
        else:
            found.findings.append(Finding("foreign", path, "is no segment"))
        return
    try:
        examined = examine(segment, found.place)
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
    """Journal files for which two visible segments stand."""
    owner: dict[str, Segment] = {}
    told = []
    for segment, footer in visible(found).items():
        both = {owner[i.name] for i in footer.replaces if i.name in owner}
        told += [
            Finding(
                "duplicate", segment.path, f"holds what {other.name} holds, which is counted twice unless it is all"
            )
            for other in sorted(both, key=lambda s: s.name)
        ]
        owner.update((i.name, segment) for i in footer.replaces if i.name.endswith(JOURNAL))
    return told


def _others(found: Shelved, tree: Tree) -> list[Finding]:
    """Journal files that are not what segments were made of."""
    said = {i.name: i.digest for f in visible(found).values() for i in f.replaces if i.name.endswith(JOURNAL)}
    told = []
    for path in files(tree.journal):
        try:
            if path.name in said and digest_of(path) != said[path.name]:
                told.append(Finding("changed", path, "is not what segments were made of; nothing of it counts"))
        except OSError:
            continue
    return told
