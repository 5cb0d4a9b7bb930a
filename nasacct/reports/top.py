"""Top: who uses the NAS now, and how busy its disks are.

"Now" is a node's newest data, so that a recording that was replayed, or a copy of yesterday's store, shows its last
minute.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from nasacct.errors import NasacctError
from nasacct.reports.inflight import FULL
from nasacct.reports.latency import quantile_us
from nasacct.reports.now import ClientNow, DiskNow, NodeNow, OperationNow, ServerNow, Top
from nasacct.reports.questions import question
from nasacct.reports.whose import Clients
from nasacct.store import inventory
from nasacct.store.journal_ring import RING
from nasacct.store.schema import BUCKETS, OPS, PROCEDURES
from nasacct.store.warehouse import Question, Warehouse
from nasacct.times import us

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from nasacct.reports.now import Sort

#: What is asked of which views, and what more of one server.
_ASKED = {
    "top_servers": ("nfsd", "links"),
    "top_disks": ("disks",),
    "top_node": ("node",),
    "top_inside": ("inside",),
    "top_latency": ("latency",),
    "top_full": ("inflight",),
}
_ASKED_OF_SERVER = {"top_clients": ("clients",), "top_operations": ("ops",), "top_procedures": ("inside",)}
_PROCEDURES = [f"{name}_{what}" for name in PROCEDURES for what in ("calls", "us")]


def top(
    root: Path, *, node: str | None = None, window_s: float = 60, sort: Sort = "bytes", ring: Path | None = RING
) -> Top:
    """The state of every node, or of one, over the `window_s` seconds before its newest data.

    What a collector on this machine mirrors below `ring` is of it.
    NasacctError when there is no store, or none of that node.
    """
    return ask(Warehouse(root, node, ring=ring), window_s=window_s, sort=sort)


def ask(warehouse: Warehouse, *, window_s: float = 60, sort: Sort = "bytes", server: str | None = None) -> Top:
    """The same, for whoever keeps a warehouse open and asks again and again; with the clients of one `server`."""
    found = Top()
    for one in warehouse.by_node():
        as_of = one.newest(("nfsd", "links", "disks", "node"))
        if as_of is not None and one.node is not None:
            _ask_node(one, one.node, as_of, window_s, server, found)
    found.sort(sort)
    return found


def _ask_node(
    warehouse: Warehouse, node: str, as_of: datetime, window_s: float, server: str | None, found: Top
) -> None:
    since = as_of - timedelta(seconds=window_s)
    lo, hi = us(since), us(as_of)
    asked = _ASKED | (_ASKED_OF_SERVER if server is not None else {})
    span = {"since": since, "until": as_of, "lo": lo, "hi": hi, "server": server}
    questions = [Question(question(name), span, views, of_rows=True) for name, views in asked.items()]
    answers = warehouse.answers(questions, since, as_of)
    rows: dict[str, list[dict[str, Any]]] = {name: one.to_pylist() for name, one in zip(asked, answers, strict=True)}
    addresses = warehouse.addresses().get(node, {}) if server is not None else {}
    found.trouble += [t for t in warehouse.trouble if t not in found.trouble]

    state = rows["top_node"]
    found.nodes.append(NodeNow(node=node, as_of=as_of, window_s=window_s, **(state[0] if state else {})))
    found.disks += [DiskNow(node=node, as_of=as_of, **row) for row in rows["top_disks"]]
    inside: dict[str, dict[str, Any]] = {row["server"]: _inside(row, window_s) for row in rows["top_inside"]}
    for row in rows["top_latency"]:
        inside.setdefault(row["server"], {})["p95_us"] = _p95(row)
    for row in rows["top_full"]:
        known = inside.setdefault(row["server"], {})
        known["full"] = row["busy"]
        if (row["busy"] or 0) > FULL:
            known |= {"mean_us": None, "p95_us": None}
    for row in rows["top_servers"]:
        found.servers.append(ServerNow(node=node, as_of=as_of, **row, **inside.get(row["server"], {})))
    if server is not None:
        clients = rows["top_clients"]
        whose = _whose(warehouse, found) if clients else None
        for row in clients:
            row |= {"id": row["client"], "client": addresses.get(row["client"], row["client"])}
            of = asdict(whose.of(node, server, row["client"], hi)) if whose else {}
            found.clients.append(ClientNow(node=node, as_of=as_of, server=server, **row, **of))
        done = _rates(rows["top_operations"], [one.name for one in OPS.usage], lo, hi)
        rates = {name: (rate, None) for name, rate in done.items()} | _procedures(
            _rates(rows["top_procedures"], _PROCEDURES, lo, hi)
        )
        found.operations += [
            OperationNow(node=node, as_of=as_of, server=server, operation=name, operations_s=rate, mean_us=mean_us)
            for name, (rate, mean_us) in sorted(rates.items(), key=lambda item: (-item[1][0], item[0]))
        ]


def _whose(warehouse: Warehouse, found: Top) -> Clients | None:
    """Who tells whose clients are; None where the inventory cannot be read, as the answer's `trouble` tells."""
    try:
        return Clients(inventory.read(warehouse.root))
    except (NasacctError, OSError) as error:
        found.trouble.append(str(error))
    return None


def _inside(row: dict[str, Any], window_s: float) -> dict[str, float | None]:
    """What is known of a server's calls: how long one takes, how many threads they keep busy."""
    calls, us = row["answered"], row["thread_us"]
    if us is None:
        return {}
    return {"mean_us": us / calls if calls else None, "busy_threads": us / 1e6 / window_s}


def _p95(row: dict[str, Any]) -> int | None:
    """At most how long 95 of 100 calls took; None when there were none, or when it is longer than can be said."""
    between = quantile_us([row[f"calls_{i:02}"] or 0 for i in range(BUCKETS)], 0.95)
    return None if between is None else between[1]


def _procedures(rates: dict[str, float]) -> dict[str, tuple[float, float | None]]:
    """By NFSv3 procedure, how often and how long; an NFSv4 server's compounds are told operation by operation."""
    found: dict[str, tuple[float, float | None]] = {}
    for name in PROCEDURES:
        rate = rates.get(f"{name}_calls", 0.0)
        if rate and name != "compound":
            found[f"v3 {name}" if name != "other" else name] = rate, rates.get(f"{name}_us", 0.0) / rate
    return found


def _rates(rows: list[dict[str, Any]], names: Sequence[str], lo: int, hi: int) -> dict[str, float]:
    """Per second, of every measure that grew, as sql/top_servers.sql counts servers' rates."""
    sums: dict[str, float] = {}
    for row in rows:
        begin, end = row["t0_us"], row["t1_us"]
        share = (min(end, hi) - max(begin, lo)) / (end - begin) if end > begin else 1.0
        for name in names:
            sums[name] = sums.get(name, 0.0) + (row[name] or 0) * share
    length_s = max(hi - max(min((row["t0_us"] for row in rows), default=lo), lo), 1) / 1e6
    return {name: total / length_s for name, total in sums.items() if total}
