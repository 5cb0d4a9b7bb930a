"""`nasacct inventory`, as somebody types it."""

import json

import pytest
import series
from haveapi import Vpsadmin, serving

from nasacct.store import root

FILE = """
[[vps]]
id = "21"
member = "1001"
addresses = ["192.0.2.21"]
[[address]]
id = "192.0.2.9"
[[export]]
id = "123"
dataset = "=1001/\u202ephotos"
member = "1001"
since = 2026-10-15 12:00:00
"""


@pytest.fixture
def store(tmp_path):
    root.prepare(tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def ask(nasacct, store, tmp_path):
    """Runs `nasacct inventory` on the store."""
    (tmp_path / "a.toml").write_text(FILE)
    return lambda *words: nasacct("inventory", *words, "--root", store)


def test_what_is_read_is_shown(ask, tmp_path):
    """Now and from when on; names that others wrote move no cursor and become no formula."""
    assert ask("read", tmp_path / "a.toml").stdout == "4 new statements\n"
    assert ask("read", tmp_path / "a.toml").stdout == "nothing is new\n"
    shown = ask("show").stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "shared" in shown
    assert "\u202e" not in shown
    rows = json.loads(ask("show", "export", "--json").stdout)
    assert [(r["id"], r["dataset"], r["server"], r["member"], r["since"], r["until"]) for r in rows] == [
        ("123", "=1001/\u202ephotos", "123", "1001", "2026-10-15T10:00:00Z", None)
    ]
    assert "'=1001" in ask("history", "export", "123", "--csv").stdout


def test_what_is_shown_as_a_table_can_be_read_elsewhere(nasacct, ask, tmp_path):
    """The whole history, as CSV; what no terminal may get stands in it escaped."""
    (tmp_path / "a.toml").write_text(FILE.replace("\u202e", ""))
    ask("read", tmp_path / "a.toml")
    (tmp_path / "a.csv").write_text(ask("history", "--csv").stdout)
    root.prepare(tmp_path / "other")
    other = ("--root", tmp_path / "other")
    assert nasacct("inventory", "read", tmp_path / "a.csv", *other).stdout == "4 new statements\n"
    assert nasacct("inventory", "history", "--json", *other).stdout == ask("history", "--json").stdout


def test_members_merge(ask, tmp_path):
    """From a moment on; not with themselves, and not in a ring."""
    (tmp_path / "a.toml").write_text('[[member]]\nid = "1"\nname = "one"\n[[member]]\nid = "2"')
    ask("read", tmp_path / "a.toml")
    assert ask("merge", "1", "2", "--since", "2026-10-01T00:00:00Z").stdout == "1 new statement\n"
    rows = json.loads(ask("history", "member", "1", "--json").stdout)
    assert [(r["name"], r["into"], r["since"]) for r in rows] == [
        ("one", None, None),
        ("one", "2", "2026-10-01T00:00:00Z"),
    ]
    for words in (["2", "1"], ["2", "2"], ["2", "3"], ["1"]):
        assert ask("merge", *words).returncode == 64


def test_what_is_damaged_is_found(ask, nasacct, store, tmp_path):
    """By check and by whoever asks; the inventory itself belongs there."""
    ask("read", tmp_path / "a.toml")
    assert nasacct("check", "--root", store).returncode == 0
    path = store / "inventory.jsonl"
    path.write_text(path.read_text().replace('"1001"', '"1002"'))
    assert "damaged" in nasacct("check", "--root", store).stdout
    done = ask("show")
    assert (done.returncode, done.stderr.count("\n")) == (65, 1)
    assert "line 2 of" in done.stderr


@pytest.mark.parametrize(
    ("words", "status", "why"),
    [
        (["read"], 64, "name one file to read"),
        (["read", "/nowhere"], 66, "/nowhere"),
        (["show", "house"], 64, "name a kind (member, vps, address, export, server, dataset)"),
        (["burn"], 64, "burn"),
        (["read", "/nowhere", "--since", "now"], 64, "--since goes with missing and merge alone"),
    ],
)
def test_what_makes_no_sense_gets_a_sentence(ask, words, status, why):
    """And a status."""
    done = ask(*words)
    assert (done.returncode, done.stderr.count("\n")) == (status, 1)
    assert why in done.stderr


def test_the_api_is_asked(nasacct, store, tmp_path):
    """As the configuration says; when it fails, nothing is told."""
    api = Vpsadmin()
    api.rows["users"] = [{"id": 1001, "login": "first"}]
    (tmp_path / "token").write_text("secret")
    (tmp_path / "token").chmod(0o600)
    with serving(api) as url:
        said = {"NASACCT_VPSADMIN__URL": url, "NASACCT_VPSADMIN__TOKEN_FILE": str(tmp_path / "token")}
        assert nasacct("inventory", "sync", "--root", store, **said).stdout == "1 new statement\n"
        assert nasacct("inventory", "sync", "--root", store, **said).stdout == "nothing is new\n"
        api.rows["users"].append({"id": 1002})
        api.rows["exports"] = [{"id": 1, "user": "nobody"}]
        done = nasacct("inventory", "sync", "--root", store, **said)
    assert (done.returncode, done.stderr.count("\n")) == (65, 1)
    assert "secret" not in done.stderr
    rows = json.loads(nasacct("inventory", "show", "--json", "--root", store).stdout)
    assert [(row["id"], row["name"]) for row in rows] == [("1001", "first")]
    done = nasacct("inventory", "sync", "--root", store)
    assert (done.returncode, "say vpsadmin.url" in done.stderr) == (78, True)


SERIES = """
links   server=123 link=v1 received_bytes 0+1000x6
links   server=7 link=v2 received_bytes 0+9000x6
links   server=7 link=v2 sent_bytes 0+0x6
clients server=7 client=c1 received_bytes 0+100x6
clients server=7 client=c1 sent_bytes 0+0x6
"""


def test_what_is_missing_is_listed(nasacct, tmp_path, ask, store):
    """Servers and clients of which nobody is known, the most busy first."""
    series.write(SERIES, store)
    ask("read", tmp_path / "a.toml")
    rows = json.loads(ask("missing", "--since", "2026-11-01", "--json").stdout)
    assert rows == [
        {"kind": "export", "id": "7", "dataset": None, "node": "nas1", "bytes": 54_000},
        {"kind": "address", "id": "c1", "dataset": None, "node": "nas1", "bytes": 600},
    ]
    assert "54.0 kB" in ask("missing", "--since", "2026-11-01").stdout
    assert "somebody is known" in ask("missing", "--since", "2030-11-01").stdout
    assert ask("show", "--since", "2026-11-01").returncode == 64


def test_there_must_be_a_store(nasacct, tmp_path):
    """An inventory of nothing is none."""
    assert nasacct("inventory", "show", "--root", tmp_path / "none").returncode == 66
