"""`nasacct compact`: merge now, by hand, what the keeper merges by itself."""

from typing import Annotated

import typer

from nasacct.cli.answer import Column, form, show
from nasacct.cli.options import ConfigFile, Csv, Json, Root, configured
from nasacct.errors import CONFIG, DATA, IO, NO_INPUT, OK, PERMISSION, TEMPORARY, USAGE
from nasacct.units import in_bytes, in_count

EXAMPLES = {
    "nasacct compact": "make of the journal, and merge, whatever can be by now",
    "nasacct compact --root /copy/nasacct --node nas1": "the same in one node's tree of another store",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, IO, TEMPORARY, PERMISSION, CONFIG)


def compact(
    node: Annotated[
        str | None, typer.Option("--node", metavar="NAME", help="Only this node. [default: all that are no copies]")
    ] = None,
    root: Root = None,
    config: ConfigFile = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> int:
    """Make usage and rollups now, by hand, as the keeper would.

    What `nasacct keep` does by itself, without deleting anything for its age; refused while that runs. Works at the
    lowest priority and in bounded memory. FILES is what a reader opens; what is replaced stays 15 minutes longer.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    settings = configured(config, root)
    from nasacct.collect import logs
    from nasacct.store.keep import idle
    from nasacct.store.tidying import tidy

    logs.begin()
    idle()
    done = tidy(settings.root, node)
    rows = [
        {
            "node": one.node,
            "journals_before": one.before.journals,
            "journals": one.after.journals,
            "segments_before": one.before.segments,
            "segments": one.after.segments,
            "bytes_before": one.before.nbytes,
            "bytes": one.after.nbytes,
        }
        for one in done
    ]
    columns = [
        Column("node", "NODE"),
        Column("journals_before", "JOURNAL FILES", in_count),
        Column("journals", "NOW", in_count),
        Column("segments_before", "SEGMENTS", in_count),
        Column("segments", "NOW", in_count),
        Column("bytes_before", "SIZE", in_bytes),
        Column("bytes", "NOW", in_bytes),
    ]
    show(rows, columns, shape)
    return IO if any(one.failed for one in done) else OK
