"""Repair: what is no good is put aside, and what can be made again is made again, by the keeper or of what is kept.

Of usage the readings are the evidence, of sums the usage. Nothing is deleted but temporary files; what was put aside
stays in the quarantine, and each check tells of it. The caller holds the keeper's lock.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from nasacct.store import addresses, journal
from nasacct.store.check.groups import groups, slices
from nasacct.store.check.telescoping import agains, compared, lost_usage, terms_of
from nasacct.store.check.whole import Report, of_tree
from nasacct.store.compaction import replaced_by
from nasacct.store.expiry import clean
from nasacct.store.finding import Finding
from nasacct.store.journal_spans import Spans
from nasacct.store.keep import keep
from nasacct.store.parts import span
from nasacct.store.schema import STREAMS
from nasacct.store.segment_file import SegmentWriter, digest_of
from nasacct.store.segments import JOURNAL, LEVELS, Footer, Replaced, SegmentError, footer, name_of, named
from nasacct.store.shelf import shelf
from nasacct.store.sync import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nasacct.store.check.groups import Group
    from nasacct.store.expiry import Rules
    from nasacct.store.segments import Segment
    from nasacct.store.stream import Stream
    from nasacct.store.tree import Relation, Tree

#: What is mended brings more to light; after so many times it does not.
_ROUNDS = 6


def repair(tree: Tree, now_s: float, rules: Rules) -> list[Finding]:
    """Mend one node's tree; gives back what was done, file by file.

    NasacctError when a file of a newer version is met; OSError when the store cannot be read or written.
    """
    clean(tree)
    keep(tree, now_s, rules)
    done: list[Finding] = []
    for _ in range(_ROUNDS):
        report = Report()
        of_tree(tree, report)
        did = list(_files(tree, report.findings)) or list(_usage(tree)) or list(_sums(tree, report.findings))
        if not did:
            break
        done += did
        keep(tree, now_s, rules)
    return done


def _files(tree: Tree, findings: list[Finding]) -> Iterator[Finding]:
    """Mend what is wrong with single files."""
    relations = {relation.folder: relation for relation in tree.every()}
    seen: set[Path] = set()
    for finding in findings:
        path, relation = finding.path, relations.get(finding.path.parent)
        if path in seen or not path.exists() or path.is_relative_to(tree.quarantine):
            continue
        if finding.kind == "leftover":
            path.unlink()
            yield Finding("removed", path, finding.sentence)
        elif finding.kind == "footer" and relation is not None and (place := _place(tree, path, relation)):
            path.rename(place)
            sync_folder(place.parent)
            yield Finding("moved back", place, f"lay as {path.relative_to(tree.folder)}")
        elif finding.kind == "order" and relation is not None:
            made = _sorted(path, relation)
            yield Finding("sorted", path, f"is replaced by {made.name}, of the same rows in order")
        elif path == tree.folder / addresses.FILE and finding.kind == "damaged":
            addresses.mend(tree)
            yield Finding("mended", path, "has its whole lines; what it was is put aside")
        elif _is_no_good(tree, finding, relation):
            tree.put_aside(path, finding)
            yield Finding("put aside", path, finding.sentence)
        else:
            continue
        seen.add(path)


def _is_no_good(tree: Tree, finding: Finding, relation: Relation | None) -> bool:
    """Whether a file must go out of the way."""
    path = finding.path
    if finding.kind == "foreign":
        # a stream that a later nasacct made is not ours to move
        return not path.is_dir()
    if path.parent == tree.journal:
        # the others are bridged by the keeper, and the newest is the collector's
        changed = finding.kind == "changed"
        kept = all(path.name in shelf(r.folder).replaced for r in tree.relations())
        return changed or (finding.kind in {"damaged", "footer"} and kept and path != journal.files(tree.journal)[-1])
    if relation is None:
        return False
    if finding.kind == "duplicate":
        # rows that are there twice are left where the readings tell what they should be
        return relation.kind != "usage" or _repeats(path, relation)
    return finding.kind in {"damaged", "schema", "footer"}


def _repeats(path: Path, relation: Relation) -> bool:
    """Whether all that the segment holds is in others too."""
    there = {s: f for s, f in shelf(relation.folder).visible.items() if s.path != path}
    return any(s.path == path for s in shelf(relation.folder).hidden) or _covered(path, there)


def _covered(path: Path, there: dict[Segment, Footer]) -> bool:
    segment = named(path)
    if segment is None:
        return False
    others = reduce(or_, (said.journals for said in there.values()), Spans())
    return others.covers(footer(segment).journals)


def _sorted(path: Path, relation: Relation) -> Segment:
    """A segment of the same rows in order, which replaces the one that has them in another."""
    segment = named(path)
    assert segment is not None
    said = footer(segment)
    with SegmentWriter(relation.folder, said.level, relation.schema, relation.group) as writer:
        for (rows,) in slices(relation.stream, [([segment], relation.schema, None)], 1):
            writer.add(rows.sort_by(relation.order))
        return writer.finish(replace(said, rows=writer.rows, replaces=replaced_by((segment,), [said])))


def _place(tree: Tree, path: Path, relation: Relation) -> Path | None:
    """Where a sound segment belongs that lies elsewhere in its tree; None when it cannot be placed."""
    segment = named(path)
    if segment is None:
        return None
    try:
        said, digest = footer(segment), digest_of(path)
    except SegmentError:
        return None
    stream = STREAMS.get(said.stream)
    if said.node != tree.node or digest != segment.digest or stream is None:
        return None
    if said.kind == "rollup":
        home = tree.rollup(relation.step, stream) if relation.step else None
    else:
        home = tree.relation(said.kind, stream)
    place = home.folder / name_of(said.level, said.since, said.until, digest) if home else None
    return place if place is not None and place != path and not place.exists() and place.parent.is_dir() else None


def _usage(tree: Tree) -> Iterator[Finding]:
    """Make usage again that is missing or wrong, of the readings."""
    for stream in STREAMS.values():
        sides = [shelf(tree.relation(kind, stream).folder).visible for kind in ("usage", "readings")]
        for group in groups(sides):
            made, kept = group.journals(0), group.journals(1)
            if not kept.covers(made) or not kept:
                continue
            if lost_usage(tree, group, made) or (made.covers(kept) and any(compared(tree, stream, group))):
                yield _made_again(tree, stream, group)


def _made_again(tree: Tree, stream: Stream, group: Group) -> Finding:
    relation = tree.relation("usage", stream)
    usage, readings = group.sides
    terms, _ = terms_of(readings.values())
    level = max((s.level for s in readings), key=LEVELS.index)
    replaces = {item for said in (*usage.values(), *readings.values()) for item in said.replaces if _is_of(item, usage)}
    replaces |= {Replaced(s.name, s.digest) for s in usage}
    bounds = [(s.since, s.until) for s in readings.values()]
    with SegmentWriter(relation.folder, level, relation.schema) as writer:
        for (rows,) in slices(stream, [(list(readings), tree.relation("readings", stream).schema, None)], 1):
            for table in agains(stream, rows, tree.node, terms):
                bounds.append(span(table, bounds[0][0]))
                writer.add(table.sort_by(relation.order))
        since, until = min(low for low, _ in bounds), max(high for _, high in bounds)
        listed = tuple(sorted(replaces, key=lambda item: item.name))
        said = Footer("usage", stream.name, tree.node, level, since, until, writer.rows, listed)
        made = writer.finish(said)
    return Finding("rebuilt", made.path, f"was made of the readings of {group.journals(1).count} journal files")


def _is_of(item: Replaced, usage: dict[Segment, Footer]) -> bool:
    """Whether it is a journal file, or something that the usage replaced."""
    return item.name.endswith(JOURNAL) or any(item in said.replaces for said in usage.values())


def _sums(tree: Tree, findings: list[Finding]) -> Iterator[Finding]:
    """Put sums aside that are wrong or hold a part of some usage, where there is all the usage to sum it again."""
    wrong = {f.path for f in findings if f.kind == "rollup"}
    for stream in STREAMS.values():
        usage = shelf(tree.relation("usage", stream).folder).visible
        held = reduce(or_, (said.journals for said in usage.values()), Spans())
        for relation in tree.rollups(stream):
            found = shelf(relation.folder)
            there = found.visible
            summed_up = reduce(or_, (said.journals for said in there.values()), Spans())
            parted = [
                f.journals for f in usage.values() if summed_up.meets(f.journals) and not summed_up.covers(f.journals)
            ]
            for segment, said in there.items():
                bad = segment.path in wrong or any(said.journals.meets(part) for part in parted)
                if bad and held.covers(said.journals):
                    # what it replaced and is still there was made of the same, and would be seen again
                    of_it = {item.name for item in said.replaces}
                    for one in (*(s for s in found.hidden if s.name in of_it), segment):
                        tree.put_aside(one.path, f"{one.path} is not the sum of usage")
                    yield Finding("rebuilt", segment.path, "was put aside and is summed again of usage")
