"""`nasacct check`: whether the store is sound."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from nasacct.cli.answer import Column, Form, form, show
from nasacct.cli.options import ConfigFile, Csv, Json, Root, configured
from nasacct.errors import CONFIG, DATA, FINDINGS, IO, NO_INPUT, OK, PERMISSION, TEMPORARY, USAGE
from nasacct.plain import plain
from nasacct.units import in_count

if TYPE_CHECKING:
    from pathlib import Path

    from nasacct.config import Config
    from nasacct.store.check.whole import Report
    from nasacct.store.finding import Finding

EXAMPLES = {
    "nasacct check": "read every file of the store and say what is wrong",
    "nasacct check --repair": "put aside what is no good and make again what can be",
    "nasacct check --root /copy/nasacct --csv": "the same of a copy, for a program",
}
STATUSES = (OK, FINDINGS, USAGE, DATA, NO_INPUT, IO, TEMPORARY, PERMISSION, CONFIG)


def check(
    root: Root = None,
    config: ConfigFile = None,
    mend: Annotated[
        bool, typer.Option("--repair", help="Put aside what is no good and make again what can be made again.")
    ] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> int:
    """Say what is wrong with the store, and in which file.

    Reads every file whole, at the lowest priority, and compares what was made of others with these. Runs beside the
    collector and the keeper, and on a copy. Writes nothing without --repair, for which no keeper may run. Ends with 1
    when something is wrong.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    settings = configured(config, root)
    from nasacct.store.check.whole import check as examine
    from nasacct.store.keep import idle

    idle()
    done = _mended(settings) if mend else []
    report = examine(settings.root)
    rows = [_row(settings.root, finding) for finding in (*done, *report.findings)]
    if shape is Form.TABLE:
        for row in rows:
            print(plain(f"{row['kind']}: {row['file']} {row['what']}"))
        print(_summary(report))
    else:
        show(rows, [Column(name, name.upper()) for name in ("kind", "file", "what")], shape)
    return FINDINGS if report.findings else OK


def _mended(settings: "Config") -> "list[Finding]":
    """What was done to every node's tree."""
    import time

    from nasacct.collect import logs
    from nasacct.store.check.repair import repair
    from nasacct.store.keep import rules
    from nasacct.store.newer import refuse_newer
    from nasacct.store.root import existing, lock
    from nasacct.store.tree import trees

    logs.begin()
    done = []
    for tree in trees(existing(settings.root)):
        refuse_newer(tree)
        with lock(settings.root, tree.node, "keep"):
            done += repair(tree, time.time(), rules(settings.root, settings))
    return done


def _row(root: "Path", finding: Any) -> dict[str, str]:
    return {"kind": finding.kind, "file": str(finding.path.relative_to(root)), "what": finding.sentence}


def _summary(report: "Report") -> str:
    faults = len(report.findings)
    said = _counted(faults, "fault") if faults else "no fault found"
    head = f", the last one is {report.head}" if report.head else ""
    read = f"{_counted(report.files, 'file')}, {_counted(report.rows, 'row')}"
    return f"{said}: {read}; {_counted(report.months, 'sealed month')}{head}"


def _counted(number: int, noun: str) -> str:
    return f"{in_count(number)} {noun}{'' if number == 1 else 's'}"
