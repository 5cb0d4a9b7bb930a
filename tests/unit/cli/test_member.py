"""`nasacct member`, as somebody types it."""

import json
from datetime import UTC, datetime

import pytest
from forgetful import ADDRESSES, NAMES, PLAIN, START, record

from nasacct.store import inventory, judgements, notes, root
from nasacct.store.judgements import Judged
from nasacct.store.root import lock


@pytest.fixture
def store(tmp_path):
    root.prepare(tmp_path / "store")
    record(tmp_path / "store", minutes=25)
    inventory.tell(tmp_path / "store", PLAIN)
    return tmp_path / "store"


@pytest.fixture
def ask(nasacct, store):
    """Runs `nasacct member` on the store."""
    return lambda *words, **more: nasacct("member", *words, "--root", store, **more)


def test_a_member_is_forgotten_only_when_it_is_meant(ask, store):
    """A dry run and a question that nobody answers change nothing; --yes does, and then there is nothing left to do."""
    before = {p: p.read_bytes() for p in store.rglob("*") if p.is_file()}
    dry = ask("forget", "1001", "--dry-run")
    assert "statements of the inventory" in dry.stdout
    asked = ask("forget", "1001")
    assert (asked.returncode, asked.stderr.count("--yes")) == (64, 1)
    assert before == {p: p.read_bytes() for p in store.rglob("*") if p.is_file()}
    done = ask("forget", "1001", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert {row["what"]: row["count"] for row in json.loads(done.stdout)}["statements of the inventory"] == 8
    again = ask("forget", "1001", "--yes", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)[0]["count"] == 0


def test_it_is_refused_while_a_keeper_runs(ask, store):
    """Before anything is written."""
    with lock(store, "nas1", "keep"):
        done = ask("forget", "1001", "--yes")
    assert done.returncode == 75
    assert "stop that one first" in done.stderr
    assert NAMES[0] in (store / inventory.FILE).read_text()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("forget", "9"), 66, "no member 9 is known"),
        (("export", "9"), 66, "no member 9 is known"),
        (("export", "1001", "--yes"), 64, "leave them out"),
        (("forget", "1001", "--out", "a"), 64, "leave them out"),
        (("export", "1001", "--step", "soon"), 64, "--step"),
    ],
)
def test_a_mistake_is_one_sentence(refused, store, words, status, said):
    """With what to do instead."""
    found, sentence = refused("member", *words, "--root", store)
    assert (found, said in sentence) == (status, True)


def test_an_export_is_a_file_for_nobody_else(ask, tmp_path):
    """Of what is theirs, and of nobody else's name or address; after forgetting it says no more than that."""
    out = tmp_path / "1001.json"
    assert ask("export", "1001", "--out", out).returncode == 0
    assert out.stat().st_mode & 0o077 == 0
    found = json.loads(out.read_text())
    assert {row["kind"] for row in found["inventory"]} == {"member", "vps", "address", "export", "dataset"}
    assert not any(word in out.read_text() for word in ("Boris", "boris", ADDRESSES[1]))
    clients = {row["client"]: row["sent_bytes"] for row in found["clients_of_exports"]}
    # of the others nobody is known
    assert clients.keys() == {"vps 21", "another member", ADDRESSES[2], ADDRESSES[4]}
    assert sum(row["sent_bytes"] for row in found["vpses"]) == clients["vps 21"] > 0
    assert sum(clients.values()) < sum(row["sent_bytes"] for row in found["exports"])
    assert {row["sent_bytes_quality"] for row in found["exports"]} == {"exact"}
    assert ask("forget", "1001", "--yes").returncode == 0
    after = json.loads(ask("export", "1001").stdout)
    assert after["forgotten"]
    assert (after["vpses"], after["inventory"][0]["is"]) == ([], {"member": "1001", "server": "101"})
    assert after["exports"] == found["exports"]


def test_words_that_may_name_them_are_told_and_nobody_elses(ask, store):
    """By their number, their names, addresses and datasets; words that are erased are told no more."""
    now = datetime.now(UTC)
    for text in (f"called {NAMES[0].upper()}.", f"ping {ADDRESSES[0]}", "of 1001, again", "of 11001", "Boris moved"):
        notes.tell(store, text, (now, now), ["nas1"], now)
    judgements.judge(store, "tank@1", "rejected", now, text=f"not {NAMES[0]}")
    judgements.judge(store, "tank@2", "rejected", now, text="not Boris")
    theirs = [n for n in notes.read(store) if n.text.startswith(("called", "ping", "of 1001"))]
    wanted = [f"nasacct note --erase {n.id}" for n in theirs]
    dry = ask("forget", "1001", "--dry-run")
    assert dry.returncode == 0
    told = [line.partition(": ")[2] for line in dry.stderr.splitlines()]
    assert sorted(told) == sorted([*wanted, "nasacct verdict tank@1 --erase"])
    for command in wanted:
        notes.erase(store, command.rpartition(" ")[2], now)
    judgements.erase(store, "tank@1", now)
    assert ask("forget", "1001", "--dry-run").stderr == ""


def test_an_export_has_what_was_said_of_verdicts_that_accused_them(ask, store):
    """Of nobody else's, without words, and without who else was accused."""
    now = datetime.now(UTC)
    both = Judged("members", ("server:101", "server:102"), 0.9, "nas1", START)
    judgements.judge(store, "tank-1", "confirmed", now, judged=both, text="Boris, too")
    for judged in (
        Judged("members", ("server:102",), 0.9, "nas1", START),
        Judged("members", ("server:9",), 0.9, "nas1", START),
        Judged("members", ("server:101",), 0.9),
        Judged("local", ("local",), 0.9, "nas1", START),
        None,
    ):
        judgements.judge(store, "tank-2", "confirmed", now, judged=judged)
    exported = ask("export", "1001").stdout
    assert json.loads(exported)["judgements"] == [
        {
            "episode": "tank-1",
            "judgement": "confirmed",
            "told": now.isoformat().replace("+00:00", "Z"),
            "verdict": "members",
            "confidence": 0.9,
        }
    ]
    assert not any(word in exported for word in ("1002", "Boris", "server:102"))


def test_who_was_forgotten_comes_back_only_when_somebody_says_so(nasacct, ask, store, tmp_path):
    """Read again, they are left out and it is said; with --remember they are known."""
    (tmp_path / "a.csv").write_text(nasacct("inventory", "history", "--csv", "--root", store).stdout)
    assert ask("forget", "1001", "--yes").returncode == 0
    again = nasacct("inventory", "read", tmp_path / "a.csv", "--root", store)
    assert "member 1001 was forgotten" in again.stdout
    assert not any(name in (store / inventory.FILE).read_text() for name in (*NAMES, ADDRESSES[0]))
    wrong = nasacct("inventory", "read", tmp_path / "a.csv", "--remember", "1002", "--root", store)
    assert (wrong.returncode, "was not forgotten" in wrong.stderr) == (64, True)
    back = nasacct("inventory", "read", tmp_path / "a.csv", "--remember", "1001", "--root", store)
    assert back.returncode == 0, back.stderr
    assert all(name in (store / inventory.FILE).read_text() for name in (*NAMES, ADDRESSES[0]))
    assert "forgotten" not in nasacct("inventory", "read", tmp_path / "a.csv", "--root", store).stdout
