"""Every question gives the expected table: `<question>/<case>/` holds series.txt, params.json and expected.csv.

Each case is asked of the journal alone, and again after the keeper has made segments of what is closed.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
import series

from nasacct.errors import OK
from nasacct.reports import breakdown, explain, graph, operations, steps, usage
from nasacct.reports.questions import question
from nasacct.store.keep import Rules, keep
from nasacct.store.tree import trees
from nasacct.store.warehouse import Question, Warehouse
from nasacct.times import iso

HERE = Path(__file__).parent
CASES = sorted(p.parent.relative_to(HERE) for p in HERE.glob("*/*/expected.csv"))
TOP_VIEWS = {
    "top_servers": ["nfsd", "links"],
    "top_clients": ["clients"],
    "top_operations": ["ops"],
    "top_inside": ["inside"],
    "top_latency": ["latency"],
    "exported": ["exports", "nfsd"],
    "answered": ["nfsd", "inside"],
    "top_full": ["inflight"],
    "top_procedures": ["inside"],
    "costs": ["health"],
    "exhausted": ["inflight"],
    "speeds": ["speeds"],
    "uplinks": ["links", "speeds"],
    "facts": ["disks", "node"],
    "starting": ["node", "health"],
    "top_disks": ["disks"],
    "top_node": ["node"],
    "reconciled": ["nfsd", "links", "clients"],
    "inflight": ["inflight", "nfsd"],
    "layout_active": ["disks", "nfsd"],
    "layout_parts": ["layout"],
    "layout_places": ["places"],
    "scans": ["scans"],
    "scene_disks": ["disks", "node"],
    "scene_nfsd": ["nfsd"],
    "scene_ops": ["ops"],
    "scene_inside": ["inside"],
    "scene_threads": ["threads"],
    "scene_local": ["local"],
    "scene_pools": ["pools"],
    "why_servers": ["nfsd", "inside", "inflight", "links", "ops"],
    "why_clients": ["clients", "inflight"],
    "space": ["space"],
    "space_days": ["space_1d"],
}


def moment(text):
    return datetime.fromisoformat(text) if text else None


def ask(name, warehouse, params):
    """The answer to a question with the parameters of a case."""
    since, until = moment(params.get("since")), moment(params.get("until"))
    if name == "usage":
        zone = ZoneInfo(params.get("zone", "UTC"))
        table = usage.ask(warehouse, params["by"], since, until, params.get("step"), zone)
        who = [" ".join(filter(None, breakdown.pair(who))) for who in table.column("who").to_pylist()]
        return table.set_column(table.column_names.index("who"), "who", pa.array(who, pa.string()))
    if name.startswith("usage_"):
        spans = steps.steps(since, until, steps.length_of(params["step"]), UTC, since, until)
        divided = steps.of_cells(spans, 300_000_000)
        views = tuple(params.get("views") or breakdown.views(params["by"]))
        filled = {view: divided.placed(view) for view in views} | {"inside": divided.inside()}
        if name == "usage_operations":
            sums = [operations.SUM.format(c=c) for c in params["columns"]]
            filled |= {"rows": divided.placed(views[0]), "sums": ", ".join(sums)}
        text = breakdown.cut(params["by"], divided) if name == "usage_cut" else question(name, **filled)
        given = {"by": params["by"].replace("client", "server"), "server": None} | divided.params
        found = warehouse.query(text, given, views=views, tables=divided.tables)
        return found.sort_by([(key, "ascending") for key in found.column_names[:4]])
    if name.startswith("graph_"):
        asked = Question(question(name), {"server": params["server"]}, usage.VIEWS, params["columns"])
        return warehouse.answers([asked])[0].sort_by("t0_us")
    if name == "graph":
        return graph.graph(warehouse, params["server"], since, until).table
    if name == "explain":
        return pa.Table.from_pylist(explain.explain(warehouse, since, until, params["server"]))
    if name == "span":
        return warehouse.query(question(name), {"since": since, "until": until}, views=["nfsd", "links"])
    until = until or warehouse.newest(TOP_VIEWS[name])
    since = until - timedelta(seconds=params["window_s"])
    span = {"since": since, "until": until, "lo": us(since), "hi": us(until), "slack_us": 10_000_000}
    span |= {name: params[name] for name in ("server", "pool") if name in params}
    span |= {"back": 60_000_000}
    return warehouse.query(question(name), span, views=TOP_VIEWS[name], since=since, until=until)


def us(at):
    return round(at.timestamp() * 1_000_000)


def as_csv(table):
    """The table as text; NULL is an empty field, a float has six digits at most."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        writer.writerow([shown(v) for v in row.values()])
    return out.getvalue()


def shown(value):
    if isinstance(value, datetime):
        return iso(value)
    return f"{value:.6g}" if isinstance(value, float) else value


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_answer_is_as_expected(case, tmp_path):
    """The same from the journal and from segments."""
    folder = HERE / case
    params = json.loads((folder / "params.json").read_text())
    series.write((folder / "series.txt").read_text(), tmp_path)
    (tmp_path / "store.json").write_text('{"nasacct_store": 1}')
    warehouse = Warehouse(tmp_path)
    expected = (folder / "expected.csv").read_text()
    assert as_csv(ask(case.parts[0], warehouse, params)) == expected
    for tree in trees(tmp_path):
        assert keep(tree, us(moment("2036-01-01T00:00:00Z")) / 1e6, Rules({"readings": 40, "usage": 400}, 1e12)) == OK
    assert as_csv(ask(case.parts[0], warehouse, params)) == expected


def test_every_question_has_a_case():
    """A question without an expected answer may say anything. `graph` and `usage` are made of several answers."""
    asked = {p.stem for p in Path(usage.__file__).parent.glob("sql/*.sql")}
    assert asked | {"graph", "usage"} == {case.parts[0] for case in CASES}


def test_every_question_says_what_it_answers():
    """The header names the question, its parameters and its columns with units."""
    for path in Path(usage.__file__).parent.glob("sql/*.sql"):
        header = [line for line in path.read_text().splitlines() if line.startswith("--")]
        assert header[0].endswith("?")
        assert "Columns:" in "".join(header)
