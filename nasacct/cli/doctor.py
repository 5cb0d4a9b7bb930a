"""`nasacct doctor`: what this machine lets nasacct read, and what is missing."""

import dataclasses
import functools
import itertools
import textwrap
from typing import TYPE_CHECKING

from nasacct.cli.answer import Form, form, in_csv, in_json
from nasacct.cli.options import ConfigFile, Csv, Json, Root, configured
from nasacct.errors import CONFIG, FINDINGS, NO_INPUT, OK, USAGE, NasacctError
from nasacct.plain import plain
from nasacct.units import in_bytes, in_percent

if TYPE_CHECKING:
    from pathlib import Path

    from nasacct.collect.finding import Finding
    from nasacct.config import Config
    from nasacct.store.warehouse import Warehouse

EXAMPLES = {
    "nasacct doctor": "before the first start, as the user that the collector will be",
    "nasacct doctor --json": "the same for a program: an array of findings",
}
STATUSES = (OK, FINDINGS, USAGE, CONFIG)

_TITLES = {
    "source": "Sources",
    "counter": "What the NFS server's counters count on this kernel",
    "machine": "Machine",
    "store": "Store",
}
_INDENT = 10


def doctor(root: Root = None, config: ConfigFile = None, as_json: Json = False, as_csv: Csv = False) -> int:
    """Say what can be read here, what is missing, and the mend.

    Asks every source once, as the collector would, and writes nothing. Ends with 1 when something is missing.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    settings = configured(config, root)
    from nasacct.collect.doctor import examine
    from nasacct.collect.live import Live

    machine = Live(settings)
    try:
        findings = list(examine(settings, machine))
    finally:
        machine.close()
    findings += [*_compared(settings), *_answered(settings), *_costs(settings)]
    if shape is Form.JSON:
        print(in_json([dataclasses.asdict(finding) for finding in findings]))
    elif shape is Form.CSV:
        print(in_csv([dataclasses.asdict(finding) for finding in findings], ()), end="")
    else:
        for area, group in itertools.groupby(findings, key=lambda finding: finding.area):
            print(_TITLES[area])
            for finding in group:
                print("\n".join(_lines(finding)))
            print()
        missing = sum(finding.state == "missing" for finding in findings)
        print(f"{missing} missing" if missing else "all is well")
    return FINDINGS if any(finding.state == "missing" for finding in findings) else OK


@functools.cache
def _warehouse(root: "Path") -> "Warehouse":
    """The store, opened once for all that is asked of it. NasacctError when there is none, or no DuckDB."""
    from nasacct.store.warehouse import Warehouse

    return Warehouse(root)


def _compared(settings: "Config") -> "list[Finding]":
    """Whether the clients' bytes fit those of their servers, where there are any and DuckDB is there to add them up."""
    from nasacct.collect.finding import Finding

    try:
        from nasacct.reports.reconciled import reconciled

        found = [one for one in reconciled(_warehouse(settings.root)) if one.link]
    except NasacctError as error:
        if error.status == NO_INPUT:
            return []
        return [Finding("store", "clients' bytes", "note", f"not compared with links: {error.sentence}")]
    if not found:
        return []
    share = sum(one.clients or 0 for one in found) / sum(one.link or 0 for one in found)
    links = f"the link of {found[0].server}" if len(found) == 1 else f"the links of {len(found)} servers"
    told = f"in the last hour {100 * share:.1f} % of what {links} carried is payload of known clients"
    twice = [one.server for one in found if one.too_much]
    if twice:
        told += f"; more than the link carried of {_some(twice)}"
        mend = f"`nasacct usage --by client --server {twice[0]}` shows it; report it as a fault of nasacct"
        return [Finding("store", "clients' bytes", "missing", told, mend)]
    unseen = sorted((one for one in found if one.unseen), key=lambda one: -one.unseen)
    if unseen:
        total = in_bytes(sum(one.unseen for one in unseen))
        told += f"; {total} were read or written by none of them, of {_some([one.server for one in unseen])}"
    return [Finding("store", "clients' bytes", "note" if unseen else "ok", told)]


def _answered(settings: "Config") -> "list[Finding]":
    """How many of the calls that nfsd counted were added up inside it, where that is collected."""
    from nasacct.collect.finding import Finding

    try:
        from nasacct.reports.answered import answered

        found = answered(_warehouse(settings.root))
    except NasacctError:
        return []
    sure = [one for one in found if not one.unknown]
    counted, inside = (sum(getattr(one, name) or 0 for one in sure) for name in ("counted", "inside"))
    if not counted:
        return []
    told = f"in the last hour {100 * inside / counted:.4g} % of the calls that nfsd counted were added up inside it"
    left = [one.server for one in found if one.unknown]
    if left:
        told += f"; of {_some(left)} that is unknown"
    return [Finding("store", "inside of nfsd", "note" if left else "ok", told)]


def _costs(settings: "Config") -> "list[Finding]":
    """What reading each source took of a processor, where there is a store that says so."""
    from nasacct.collect.finding import Finding

    try:
        from nasacct.reports.costs import costs

        mine = [one for one in _warehouse(settings.root).by_node() if one.node == settings.node]
        found = [cost for one in mine for cost in costs(one)]
    except NasacctError:
        return []
    if not found:
        return []
    # what a cycle of ten seconds takes, whatever the interval and each source's pace
    each = ", ".join(f"{one.source} {one.share * 10_000:.3g}" for one in found)
    total = sum(one.share for one in found)
    told = f"in the last hour {total * 10_000:.3g} CPU-ms each 10 s, {in_percent(total)} of a processor: {each}"
    most = settings.sources.budget_percent
    return [Finding("store", "cost of reading", "ok", f"{told}; what others can spare may take {most:g} % each")]


def _some(names: list[str]) -> str:
    return ", ".join([*names[:3], *(["..."] if len(names) > 3 else [])])


def _lines(finding: "Finding") -> list[str]:
    """At most 80 columns: state, name and what was found, then below it what is read, what it needs, the mend."""
    below = " " * _INDENT
    head = f"  {finding.state:<7} {finding.name}: {plain(finding.found)}"
    shown = textwrap.wrap(head, 80, subsequent_indent=below)
    if finding.reads:
        needs = f" (permission: {finding.needs})" if finding.needs != "none" else ""
        text = f"reads {plain(finding.reads)}{needs}"
        shown += textwrap.wrap(text, 80, initial_indent=below, subsequent_indent=below)
    if finding.mend:
        shown += textwrap.wrap(f"mend: {finding.mend}", 80, initial_indent=below, subsequent_indent=below)
    return shown
