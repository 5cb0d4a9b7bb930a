"""`nasacct note` and `nasacct verdict`, as a person types them."""

import csv
import io
import json
from datetime import UTC, date, datetime

import pytest
import series
from hostile import NAMES, invisible

from nasacct.__main__ import main
from nasacct.plain import plain
from nasacct.reports.sureness import NAMED, SURE
from nasacct.store import judged, judgements, notes, root
from nasacct.store.tree import Tree

#: Half an hour of which the disk is busy for two and a half minutes, and for a minute and ten seconds.
STORE = """
start 2026-11-23T10:00:00Z
disks disk=d device=sda ms_io 0+1000x30 40000+10000x14 181000+1000x60 251000+10000x6 312000+1000x60
nfsd server=a read_bytes 0+1000x175
"""
EPISODE, OTHER = "nas1-20261123-100500", "nas1-20261123-101740"


@pytest.fixture
def store(tmp_path):
    """A node with two episodes, which nobody has judged."""
    root.prepare(tmp_path / "store")
    series.write(STORE, tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def nasacct(store, monkeypatch, capsys, tmp_path):
    """Runs a command as a person types it; gives its status, what it printed and what it said of errors."""
    (tmp_path / "empty.toml").touch()
    monkeypatch.setenv("NASACCT_CONFIG", str(tmp_path / "empty.toml"))
    monkeypatch.setenv("NASACCT_ZONE", "Europe/Prague")

    def nasacct(*arguments, columns="80", root=store):
        monkeypatch.setenv("COLUMNS", columns)
        capsys.readouterr()
        status = main([*map(str, arguments), "--root", str(root)])
        return status, *capsys.readouterr()

    return nasacct


@pytest.fixture
def run(nasacct):
    """What a command prints, which ends well."""

    def run(*arguments, **more):
        status, out, err = nasacct(*arguments, **more)
        assert (status, err) == (0, "")
        return out

    return run


@pytest.fixture
def refused(nasacct):
    """The status and the one sentence of a command that is refused."""

    def refused(*arguments, **more):
        status, out, err = nasacct(*arguments, **more)
        assert (out, err.count("\n"), err[:9]) == ("", 1, "nasacct: ")
        return status, err[9:-1]

    return refused


def test_a_note_from_first_to_last(run, nasacct, store):
    """It is told, shown, asked for by span and place, taken back, and stays."""
    run("note", "replaced sdc", "--from", "2026-11-27 14:00", "--to", "2026-11-27 14:20", "--by", "ops")
    run("note", "moved\nbackups", "--from", "2026-11-27T15:00:00Z", "--pool", "tank", "--node", "nas1")
    titles, _, *shown = (line.rstrip() for line in run("note", "--list").splitlines())
    assert titles.split() == ["ID", "WHEN", "POOL", "TEXT", "BY"]
    assert "2026-11-27 14:00:00 .. 14:20:00 +01:00" in " ".join(shown)
    sdc, moved = json.loads(run("note", "--list", "--json"))
    assert (sdc["from"], sdc["to"]) == ("2026-11-27T13:00:00Z", "2026-11-27T13:20:00Z")
    assert (sdc["text"], sdc["by"], sdc["nodes"], sdc["pool"]) == ("replaced sdc", "ops", ["nas1"], None)
    assert (moved["text"], moved["from"], moved["pool"]) == ("moved\nbackups", moved["to"], "tank")

    def ids(*asked):
        return [row["id"] for row in json.loads(run("note", "--list", "--json", *asked))]

    assert ids("--to", "2026-11-27T14:00:00Z") == ids("--from", "2026-11-27T13:19:59Z", "--pool", "x") == [sdc["id"]]
    assert ids("--from", "2026-11-27T13:20:00Z") == [moved["id"]]
    assert ids("--pool", "tank", "--node", "nas1") == [sdc["id"], moved["id"]]
    (removed,) = json.loads(run("note", "--remove", sdc["id"], "--by", "ops2", "--json"))
    assert removed["removed_by"] == "ops2"
    assert removed["removed"] > removed["told"]
    assert ids() == [moved["id"]]
    assert ids("--all") == [sdc["id"], moved["id"]]
    assert "REMOVED" in run("note", "--list", "--all", columns="200")
    run("note", "--erase", moved["id"])
    assert "moved" not in (store / notes.CHRONICLE.file).read_text()
    assert "(erased)" in run("note", "--list")
    assert "no fault found" in nasacct("check")[1]


def test_without_a_time_it_happened_now(run):
    """A moment, to the second."""
    (row,) = json.loads(run("note", "now", "--json"))
    assert row["from"] == row["to"]
    assert row["from"][:19] == row["told"][:19]


def test_a_node_that_the_store_does_not_have_is_named(run, refused, store, tmp_path):
    """So nothing is noted where nobody would find it."""
    for asked in (["note", "x"], ["note", "--list"]):
        status, sentence = refused(*asked, "--node", "nas9")
        assert (status, sentence) == (64, f"{store} has no node 'nas9'; it has nas1")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "store.json").write_text('{"nasacct_store": 1}')
    assert refused("note", "x", root=tmp_path / "new")[0] == 66
    assert refused("verdict", EPISODE, "confirm", root=tmp_path / "none")[0] == 66


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["x", "--list"],
        ["--list", "--remove", "2a4f09c1"],
        ["x", "--all"],
        ["--remove", "2a4f09c1", "--pool", "tank"],
        ["--erase", "2a4f09c1", "--since", "now"],
        ["--list", "--by", "me"],
        ["--remove", "\x1b[2J"],
        ["--erase", "2a4f09c1"],
        ["x", "--from", "14:20", "--to", "2001-01-01"],
        ["x", "--from", "when"],
        [" "],
        ["x" * 2001],
        ["x", "--pool", ""],
    ],
)
def test_what_is_no_note_is_refused_in_a_sentence(refused, store, arguments):
    """And nothing is written."""
    status, sentence = refused("note", *arguments)
    assert (status, invisible(sentence)) == (64, set())
    assert not (store / notes.CHRONICLE.file).exists()


def test_a_judgement_from_first_to_last(run, nasacct, store):
    """The later one holds, both are shown, and the rate is of those that hold."""
    run("verdict", EPISODE, "confirm", "--note", "its owner\nsays so", "--by", "ops")
    run("verdict", OTHER, "confirm")
    shown = run("verdict", EPISODE, "reject", columns="200")
    assert shown.startswith("1 of 2 judged verdicts were right: 50 % [")
    assert "confirmed (replaced)" in shown
    assert "its owner says so" in shown
    rows = json.loads(run("verdict", "--list", "--json"))
    assert [(r["episode"], r["judgement"], r["holds"]) for r in rows] == [
        (EPISODE, "confirmed", False),
        (OTHER, "confirmed", True),
        (EPISODE, "rejected", True),
    ]
    assert (rows[0]["note"], rows[0]["by"]) == ("its owner\nsays so", "ops")
    # as `why` says, for the keeper has not judged it
    why = json.loads(run("why", EPISODE, "--json"))
    assert [(r["verdict"], r["culprits"]) for r in rows if r["episode"] == EPISODE] == [("local", ["local"])] * 2
    assert (why["verdict"], why["confidence"]) == (rows[0]["verdict"], pytest.approx(rows[0]["confidence"], abs=1e-6))
    assert len(json.loads(run("verdict", EPISODE, "--list", "--json"))) == 2
    rates = list(csv.DictReader(io.StringIO(run("verdict", "--rate", "--csv"))))
    assert [(r["of"], r["which"], r["judged"], r["confirmed"], r["rate"]) for r in rates] == [
        ("all", "all", "2", "1", "0.5"),
        ("verdict", "local", "2", "1", "0.5"),
        ("confidence", ">= 0.8" if why["confidence"] >= SURE else f"{NAMED} .. {SURE}", "2", "1", "0.5"),
    ]
    run("verdict", EPISODE, "--erase")
    assert "owner" not in (store / judgements.CHRONICLE.file).read_text()
    assert "no fault found" in nasacct("check")[1]


def test_what_was_judged_is_kept_with_the_judgement(run, store):
    """As the keeper says it then, and if it says it later, as it does since; whom it accuses, and how sure it is."""
    judgements.judge(store, OTHER, "confirmed", datetime.now(UTC))
    entities = [
        {"kind": "member", "name": "server:a", "confidence": 0.95, "culprit": True},
        {"kind": "local", "name": "", "confidence": 0.7, "culprit": True},
        {"kind": "hardware", "name": "sda", "confidence": 0.6, "culprit": True},
        {"kind": "member", "name": "server:b", "confidence": 0.3, "culprit": False},
    ]
    told = {"id": EPISODE, "from": 1795428300, "verdict": {"verdict": "mixed", "entities": entities}}
    other = {"id": OTHER, "from": 1795429060, "verdict": {"verdict": "unknown", "entities": [], "withheld": "boot"}}
    said = {"episodes": [told, other], "normal": [None, None]}
    judged.write_text(Tree(store, "nas1"), "nas1", "episodes", date(2026, 11, 23), said)
    run("verdict", EPISODE, "reject")
    rows = {row["episode"]: row for row in json.loads(run("verdict", "--list", "--json"))}
    assert (rows[EPISODE]["verdict"], rows[EPISODE]["confidence"]) == ("mixed", 0.95)
    assert rows[EPISODE]["culprits"] == ["server:a", "local", "hardware:sda"]
    assert (rows[OTHER]["verdict"], rows[OTHER]["culprits"], rows[OTHER]["confidence"]) == ("withheld", [], None)
    kept = {each.episode: each.judged for each in judgements.read(store)}
    assert (kept[EPISODE].node, kept[EPISODE].begin) == ("nas1", datetime(2026, 11, 23, 10, 5, tzinfo=UTC))
    assert kept[OTHER] is None
    rates = [(row["of"], row["which"], row["confirmed"]) for row in json.loads(run("verdict", "--rate", "--json"))]
    assert rates == [
        ("all", "all", 1),
        ("verdict", "mixed", 0),
        ("verdict", "withheld", 1),
        ("confidence", ">= 0.8", 0),
        ("confidence", "nobody accused", 1),
    ]


def test_an_episode_that_is_not_there_is_not_judged(refused, store):
    """So no misspelt one counts in the rate."""
    for called in ("nas1-20261123-100510", "nas1-20261399-100500", "nas1-20261123", "tank-20261123-100500"):
        assert refused("verdict", called, "confirm") == (
            66,
            f"there is no episode {called}; `nasacct episodes --all` lists them",
        )
    assert not (store / judgements.CHRONICLE.file).exists()


def test_before_anything_was_judged_no_rate_is_claimed(run):
    """It is unknown, and not 0 or 100 %."""
    (row,) = json.loads(run("verdict", "--rate", "--json"))
    assert (row["judged"], row["rate"], row["rate_lo"], row["rate_hi"]) == (0, None, 0.0, 1.0)
    assert "unknown" in run("verdict", "--rate")
    assert run("verdict", "--list") == "nothing was judged\n\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [EPISODE],
        ["--erase"],
        [EPISODE, "confirm", "--list"],
        [EPISODE, "perhaps"],
        [EPISODE, "--list", "--note", "x"],
        [EPISODE, "--rate"],
        ["a b", "confirm"],
        ["\x1b[2J", "confirm"],
        [EPISODE, "confirm", "--by", " "],
    ],
)
def test_what_is_no_judgement_is_refused_in_a_sentence(refused, store, arguments):
    """And nothing is written."""
    status, sentence = refused("verdict", *arguments)
    assert (status, invisible(sentence)) == (64, set())
    assert not (store / judgements.CHRONICLE.file).exists()


def test_hostile_texts_act_upon_no_terminal_and_no_spreadsheet(run, store):
    """JSON has them as they are; in a table and in CSV they are escaped, and calculate nothing."""
    texts = [name for name in NAMES if "\0" not in name and name.strip() and not name.startswith("-")]
    run("note", texts[0], "--by", texts[0])
    run("verdict", EPISODE, "reject", "--note", texts[0], "--by", texts[0])
    now = datetime.now(UTC)
    for text in texts[1:]:
        notes.tell(store, text, (now, now), ["nas1"], now, by=text)
        judgements.judge(store, EPISODE, "rejected", now, text=text, by=text)
    for asked in (["note", "--list"], ["verdict", "--list"]):
        rows = json.loads(run(*asked, "--json"))
        assert sorted(row["text" if "text" in row else "note"] for row in rows) == sorted(texts)
        assert {row["by"] for row in rows} == set(texts)
        assert not invisible(run(*asked, columns="4000"))
        written = run(*asked, "--csv")
        assert not invisible(written.replace("\r\n", "\n"))
        fields = {field for row in csv.reader(io.StringIO(written, newline="")) for field in row}
        assert not [field for field in fields if field.startswith(("=", "+", "-", "@"))]
        assert all(any(plain(text) in field for field in fields) for text in texts)


@pytest.mark.parametrize("chronicle", ["notes", "judgements"])
def test_a_damaged_or_newer_file_is_told_with_its_line(run, refused, nasacct, store, chronicle):
    """Nothing is added to it; a check says which it is."""
    command = {"notes": ["note", "x"], "judgements": ["verdict", EPISODE, "confirm"]}[chronicle]
    run(*command)
    path = store / f"{chronicle}.jsonl"
    whole = path.read_bytes()
    for content, said in (
        (whole[:-9], f"line 2 of {path} is damaged"),
        (whole.replace(b'_%b":1' % chronicle.encode(), b'_%b":2' % chronicle.encode()), "of version 2"),
    ):
        path.write_bytes(content)
        for asked in (command, [command[0], "--list"]):
            status, sentence = refused(*asked)
            assert status == 65
            assert said in sentence
        assert path.read_bytes() == content
        status, out, _ = nasacct("check", "--json")
        assert (status, [row["file"] for row in json.loads(out)]) == (1, [path.name])
