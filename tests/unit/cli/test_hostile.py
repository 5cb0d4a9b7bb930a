"""Names that others wrote, in every command that prints one: they move no cursor, calculate nothing, stay themselves.

Whoever names a server, a dataset, a VPS or themselves may mean to harm SQL, a page, a spreadsheet or a terminal.
"""

import csv
import io
import json

import pytest
from hostile import NAMES, invisible
from journals import Recorder

from nasacct.__main__ import main
from nasacct.plain import plain
from nasacct.store import inventory
from nasacct.store.inventory import EVER, Statement

MOVED = ("received_bytes", "sent_bytes")


def others(n):
    """The names for what belongs to the n-th server: all kinds of them, so that each name has each role."""
    return [NAMES[(n + shift) % len(NAMES)] for shift in (3, 7, 11)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A node with a server of each name, whose export, member, client, VPS and operation's client are called so too."""
    where = tmp_path_factory.mktemp("hostile") / "store"
    recorder, cycle = Recorder(where), {}
    statements = []
    for n, name in enumerate(NAMES):
        dataset, member, vps = others(n)
        address = f"192.0.2.{n + 1}"
        nfsd, link = recorder.thing("nfsd", server=name), recorder.thing("links", server=name, link=name)
        client = recorder.thing("clients", f"boot/{n}/1", server=name, client=f"id{n}")
        unknown = recorder.thing("clients", f"boot/{n}/2", server=name, client=f"other {name}".replace("\0", ""))
        waits = recorder.thing("inflight", f"boot/{n}/w", server=name, client=f"id{n}", operation="read")
        client.about = {"address": address}
        cycle |= {nfsd: ("read_bytes", "read"), link: MOVED, client: MOVED, unknown: MOVED}
        cycle |= {waits: ("in_flight_us", "sampled_calls")}
        if n % 2:
            statements += [
                Statement(
                    "export", f"export {name}", EVER[0], {"server": name, "dataset": dataset, "member": member}, 1
                ),
                Statement("member", member, EVER[0], {"name": vps}, 1),
                Statement("vps", vps, EVER[0], {"name": dataset, "member": member, "node": name}, 1),
                Statement("address", f"{address}/32", EVER[0], {"vps": vps}, 1),
                Statement("address", "192.0.2.0/24", EVER[0], {"name": name}, 1),
            ]
        else:
            statements.append(Statement("server", f"nas1/{name}", EVER[0], {"dataset": dataset, "address": vps}, 1))
    for k in range(4):
        recorder.cycle({thing: dict.fromkeys(measures, 1000 * k) for thing, measures in cycle.items()})
    inventory.tell(where, statements)
    return where


COMMANDS = [
    *(["usage", "--by", by] for by in ("server", "client", "vps", "export", "member", "node", "operation")),
    *(["usage", "--by", by, "--step", "10s"] for by in ("client", "export")),
    ["usage", "--explain"],
    *(["usage", "--by", "client", "--server", name] for name in NAMES[:2]),
    ["inventory", "show"],
    ["inventory", "history"],
    ["inventory", "missing", "--since", "2026-11-01"],
    ["top", "--once"],
    *(["top", "--once", "--server", name] for name in (NAMES[1], NAMES[13], NAMES[14])),
    ["inflight"],
    ["inflight", "--server", NAMES[3]],
]
#: What names nobody: counters and kinds.
NAMELESS = (["usage", "--by", "node"], ["usage", "--by", "operation"])


@pytest.fixture
def run(store, monkeypatch, capsys, tmp_path):
    """Runs a command on the store, on a terminal wide enough that nothing is folded; gives what it printed."""
    monkeypatch.setenv("COLUMNS", "4000")
    monkeypatch.setenv("NASACCT_CONFIG", str(tmp_path / "empty.toml"))
    (tmp_path / "empty.toml").touch()

    def run(command, *more):
        capsys.readouterr()
        assert main([*command, "--root", str(store), *more]) == 0
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert not invisible(err)
        return out

    return run


def texts(value):
    """All texts of a JSON document."""
    if isinstance(value, dict):
        value = list(value.values())
    return [t for each in value for t in texts(each)] if isinstance(value, list) else [value]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: ascii(" ".join(command)))
def test_names_go_through_every_command_unharmed(run, command):
    """JSON has them as they are, a table and CSV with what acts upon a terminal escaped, CSV without formulas."""
    told = {t for t in texts(json.loads(run(command, "--json"))) if isinstance(t, str)}
    met = {name for name in NAMES if any(name in text for text in told)}
    assert met or command in NAMELESS
    whole = command[:3] in (["usage", "--by", "server"], ["inventory", "show"])
    assert not whole or met == set(NAMES)
    shown = run(command)
    assert not invisible(shown)
    written = run(command, "--csv")
    assert not invisible(written.replace("\r\n", "\n"))
    fields = [field for row in csv.reader(io.StringIO(written, newline="")) for field in row]
    assert not [
        f for f in fields if f.startswith(("=", "+", "-", "@")) and not f.lstrip("-").replace(".", "").isdigit()
    ]
    in_csv = {name for name in met if any(plain(name) in field for field in fields)}
    # of `top` it has the main table alone
    assert in_csv == met if command[0] != "top" else in_csv
    in_table = {name for name in met if plain(name) in shown}
    # beside ids there is room for the beginning of a long name
    assert in_table == met if whole else in_table or not met


def test_a_server_of_any_name_is_asked_for_alone(run):
    """SQL takes it as a value."""
    for name in NAMES:
        if "\0" not in name:
            rows = json.loads(run(["usage", "--by", "server", "--server", name], "--json"))
            assert [row["server"] for row in rows] == [name]
