"""What people call exports, members and VPSes in tables: ids and names in one column, which JSON and CSV have apart."""

from collections.abc import Iterable, Mapping
from typing import Any

from nasacct.cli.answer import Column

Row = Mapping[str, Any]
#: So much of a name is shown beside an id: of many in a row less. JSON and CSV have all of it.
_LENGTH, _SHORT = 24, 10
#: The columns that say whose something is, by what a row is about.
_WHOSE = {"client": ("vps", "consumer", "owner"), "vps": ("consumer", "owner"), "export": ("owner",)}


def whose(rows: Iterable[Row], by: str) -> list[Column]:
    """The columns beside the first one that say whose something is, as far as anything is known."""
    there = [name for name in _WHOSE.get(by, ()) if any(row[name] or row.get("kind") == "shared" for row in rows)]
    return [Column(name, name.upper()) for name in there]


def named(row: Row, by: str) -> dict[str, Any]:
    """The row as a table shows it: with names beside ids."""
    shown = dict(row)
    if by == "export":
        shown["export"] = title(row["export"], row["dataset"])
    for name in ("member", "vps", "consumer", "owner"):
        if name in row:
            shown[name] = beside(row[name], row[f"{name}_name"], _LENGTH if by == "member" else _SHORT)
    if by in ("client", "vps"):
        shown |= _whose_client(row, by)
    return shown


def title(export: str | None, dataset: str | None) -> str | None:
    """What people call an export: its dataset, and its number."""
    return f"{dataset} ({export})" if dataset else export


def beside(name: str | None, called: str | None, most: int = _LENGTH) -> str | None:
    """An id, and what people call it, of which so many characters are shown at most."""
    if name is None or not called or called == name:
        return name
    return f"{name} {called if len(called) <= most else called[: most - 1] + '…'}"


def _whose_client(row: Row, by: str) -> dict[str, str]:
    """What stands in the columns of whose a client is where there is no VPS: nobody's is not unknown."""
    if row["kind"] is None:
        return dict.fromkeys(_WHOSE[by], "-")
    if row["kind"] == "shared":
        return {"vps": "shared", "consumer": "shared"}
    return {"vps": row["address"]} if by == "vps" and row["kind"] == "address" else {}
