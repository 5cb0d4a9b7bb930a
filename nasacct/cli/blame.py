"""`nasacct blame`: whose the disks' time was, over weeks."""

import dataclasses
from datetime import UTC, datetime

from nasacct.cli.answer import Column, Form, form, show
from nasacct.cli.options import (
    Ago,
    ConfigFile,
    Csv,
    Json,
    OnlyNode,
    OnlyPool,
    Root,
    Until,
    configured,
    long_ago,
    moment,
)
from nasacct.errors import CONFIG, DATA, NO_INPUT, OK, UNAVAILABLE, USAGE
from nasacct.store.root import existing
from nasacct.times import render
from nasacct.units import in_count, in_duration, in_percent

EXAMPLES = {
    "nasacct blame": "who used the disks in the last 30 days, and how much",
    "nasacct blame --since 2026-10 --until 2026-11 --csv": "October, for a spreadsheet",
    "nasacct blame --since 7d --pool tank": "a week of one pool",
}
STATUSES = (OK, USAGE, DATA, NO_INPUT, UNAVAILABLE, CONFIG)


def blame(
    since: Ago = "30d",
    until: Until = None,
    pool: OnlyPool = None,
    node: OnlyNode = None,
    root: Root = None,
    config: ConfigFile = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Say whose the disks' time was, over weeks.

    DISK TIME is in seconds of a pool's median disk: what the disks were busy, divided by what each one's requests cost,
    and in episodes by their verdicts. It is told of days that `nasacct keep` has judged, hour by hour, of whoever owned
    the export then; all rows together are all that was measured. `nobody's` is what no server's requests explain: the
    machine's own work, scrubs, and what the model does not know. Much disk time is no guilt: `why` says who is to blame
    for an episode.
    """
    shape = form(as_json=as_json, as_csv=as_csv)
    settings = configured(config, root)
    begin = moment(long_ago(since), settings.tz, "--since")
    end = moment(until, settings.tz, "--until", end=True) or datetime.now(UTC)
    assert begin is not None
    existing(settings.root)
    from nasacct.reports.blame import Row
    from nasacct.reports.blame import blame as ledger

    found = ledger(settings.root, int(begin.timestamp()), int(end.timestamp()), node, pool)
    columns = [
        Column("entity", "WHO", absent="nobody's"),
        *([Column("name", "NAME", absent="")] if any(row.name for row in found.rows) else []),
        Column("disk_s", "DISK TIME", in_duration),
        Column("share", "SHARE", in_percent),
        Column("hours", "HOURS", in_count),
    ]
    if shape is Form.CSV:
        columns = [Column(field.name, field.name) for field in dataclasses.fields(Row)]
    heading = "no day was judged in that time; `nasacct keep` judges a day when it is over"
    if found.since is not None and found.until is not None:
        first, last = (render(datetime.fromtimestamp(at, UTC), settings.tz) for at in (found.since, found.until))
        heading = f"from {first} to {last}, {in_duration(found.disk_s)} of disk time"
    rows = [dataclasses.asdict(row) for row in found.rows]
    if shape is Form.TABLE:
        for row in rows:
            row["entity"] = row["entity"] and row["entity"].replace(":", " ")
    show(rows, columns, shape, heading, "; ".join(found.trouble))
