"""Sealed months: what was sealed is read again, nothing can be sealed twice, and no change goes unnoticed."""

import decimal
import hashlib
import json
import multiprocessing
import os
import random
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from nasacct.errors import DATA, TEMPORARY, NasacctError
from nasacct.store.root import hold
from nasacct.store.sealed_month import SealError, rows
from nasacct.store.seals import seal, sealed_until, seals, verify

PRAGUE = "Europe/Prague"
TIME = pa.timestamp("us", tz="UTC")


def month(*rows):
    """Rows of a month: server, bytes."""
    servers, sums = [r[0] for r in rows], [r[1] for r in rows]
    return pa.table({"server": pa.array(servers, pa.string()), "bytes": pa.array(sums, pa.int64())})


@pytest.fixture
def root(tmp_path):
    (tmp_path / "store.json").write_text('{"nasacct_store": 1}\n')
    return tmp_path


@pytest.fixture
def chain(root):
    """Three sealed months."""
    return [
        seal(root, f"2026-{n:02d}", PRAGUE, "7", month(("101", n * 10**15), ("102", None), ("103", 0)))
        for n in (9, 10, 11)
    ]


def forge(path, change):
    """Change a sealed month as somebody would who knows the format: its text, and then its name."""
    content = change(path.read_text())
    digest = hashlib.sha256(content.encode()).hexdigest()
    path.unlink()
    forged = path.with_name(f"{path.name[:7]}-{digest}.jsonl")
    forged.write_text(content)
    return forged


def test_every_kind_of_value_comes_back(root):
    """Strings of any letters, integers in full, booleans, times to the µs, and NULL in each."""
    at = datetime(2026, 10, 25, 0, 30, 0, 123457, tzinfo=UTC)
    table = pa.table(
        {
            "server": pa.array(['"né\n\x7f\U0001f980', None, ""]),
            "bytes": pa.array([2**63 - 1, None, -(2**63)], pa.int64()),
            "sum": pa.array([decimal.Decimal(2**53 + 1), None, decimal.Decimal(0)], pa.decimal128(38, 0)),
            "small": pa.array([1, None, 3], pa.uint16()),
            "exact": pa.array([True, None, False]),
            "at": pa.array([at, None, datetime(1969, 12, 31, tzinfo=UTC)], TIME),
            "member": pa.array(["m", None, "m"]).dictionary_encode(),
        }
    )
    sealed = seal(root, "2026-10", PRAGUE, "7", table)
    assert rows(sealed).schema.types == [pa.string(), pa.int64(), pa.int64(), pa.int64(), pa.bool_(), TIME, pa.string()]
    assert sorted(map(str, rows(sealed).to_pylist())) == sorted(
        str(r | {"sum": None if r["sum"] is None else int(r["sum"])}) for r in table.to_pylist()
    )
    assert verify(root) == []


def test_the_file_is_as_the_format_says(root):
    """First line and rows by the letter of docs/format.md; the name has the sha256 of the bytes."""
    first = seal(root, "2026-10", PRAGUE, "7", month(("é", 2**60), ("a", None)))
    content = first.path.read_bytes()
    assert content == (
        b'{"nasacct_seal":1,"month":"2026-10","zone":"Europe/Prague","inventory":"7","previous":null,'
        b'"columns":[["server","string"],["bytes","integer"]],"rows":2}\n'
        b'["\\u00e9",1152921504606846976]\n["a",null]\n'
    )
    assert first.path.name == f"2026-10-{hashlib.sha256(content).hexdigest()}.jsonl"
    assert first.path.stat().st_mode & 0o777 == 0o440
    second = seal(root, "2026-11", PRAGUE, "8", month())
    assert json.loads(second.path.read_bytes())["previous"] == first.digest
    assert seals(root) == [first, second]


def test_the_same_rows_in_another_order_are_the_same_seal(root):
    """Sealing again what is sealed does nothing, so a command that was interrupted can be given again."""
    first = seal(root, "2026-10", PRAGUE, "7", month(("a", 1), ("b", 2), ("b", 2)))
    seal(root, "2026-11", PRAGUE, "7", month())
    assert seal(root, "2026-10", PRAGUE, "7", month(("b", 2), ("a", 1), ("b", 2))) == first


@pytest.mark.parametrize(
    ("zone", "inventory", "table"),
    [
        (PRAGUE, "7", month(("a", 1), ("b", 3))),
        (PRAGUE, "8", month(("a", 1), ("b", 2))),
        ("Europe/Berlin", "7", month(("a", 1), ("b", 2))),
    ],
    ids=["rows", "inventory", "zone"],
)
def test_a_sealed_month_is_not_sealed_otherwise(root, zone, inventory, table):
    """One sentence, and nothing has changed."""
    first = seal(root, "2026-10", PRAGUE, "7", month(("a", 1), ("b", 2)))
    with pytest.raises(NasacctError, match="2026-10 is sealed with other content") as refused:
        seal(root, "2026-10", zone, inventory, table)
    assert refused.value.status == DATA
    assert seals(root) == [first]


@pytest.mark.parametrize(("next_month", "zone"), [("2026-12", PRAGUE), ("2026-09", PRAGUE), ("2026-11", "UTC")])
def test_months_are_sealed_without_gap_or_overlap(root, next_month, zone):
    """None is left out, none before the last, and none that begins at another moment than the last one's end."""
    seal(root, "2026-10", PRAGUE, "7", month())
    with pytest.raises(NasacctError, match="seal 2026-11 in Europe/Prague next"):
        seal(root, next_month, zone, "7", month())


def test_sealed_until_is_the_end_of_the_last_month_in_its_zone(root):
    """Daylight saving time and the turn of the year included."""
    assert sealed_until(root) is None
    seal(root, "2026-10", PRAGUE, "7", month())
    assert sealed_until(root) == datetime(2026, 10, 31, 23, tzinfo=UTC)
    for one in ("2026-11", "2026-12", "2027-01", "2027-02", "2027-03"):
        seal(root, one, PRAGUE, "7", month())
    assert sealed_until(root) == datetime(2027, 3, 31, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (pa.table({"share": [0.5]}), "share cannot be sealed: double"),
        (pa.table({"at": pa.array([1], pa.timestamp("us"))}), "at cannot be sealed"),
        (pa.table({"at": pa.array([1], pa.timestamp("ns", tz="UTC"))}), "at cannot be sealed"),
        (pa.table({"bytes": pa.array([2**63], pa.uint64())}), "bytes cannot be sealed"),
        (pa.table([[1], [2]], names=["a", "a"]), "two of one name"),
        (pa.table({}), "no columns"),
    ],
)
def test_what_has_no_exact_form_is_not_sealed(root, table, why):
    """A value is never rounded to be sealed."""
    with pytest.raises(NasacctError, match=why):
        seal(root, "2026-10", PRAGUE, "7", table)
    assert seals(root) == []


@pytest.mark.parametrize(("name", "zone"), [("2026-13", PRAGUE), ("october", PRAGUE), ("2026-10", "Mars/Olympus")])
def test_a_month_or_zone_that_is_none_is_told(root, name, zone):
    with pytest.raises(NasacctError, match=r"is no month|is not known"):
        seal(root, name, zone, "7", month())


def test_every_flipped_bit_is_noticed(root, chain):
    """Any byte of any sealed month."""
    chance = random.Random(1)
    for sealed in chain:
        sound = sealed.path.read_bytes()
        sealed.path.chmod(0o640)
        for at in range(len(sound)):
            damaged = bytearray(sound)
            damaged[at] ^= 1 << chance.randrange(8)
            sealed.path.write_bytes(damaged)
            assert sealed.path in {f.path for f in verify(root)}, at
        sealed.path.write_bytes(sound)
    assert verify(root) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace('["101",10000000000000000]', '["101",10000000000000001]'),
        lambda t: t.replace('["102",null]', '["102",0]'),
        lambda t: t.replace("Europe/Prague", "Europe/Berlin"),
        lambda t: t.replace('"inventory":"7"', '"inventory":"8"'),
        lambda t: t.replace('"rows":3', '"rows":2').replace('["103",0]\n', ""),
        lambda t: t.replace("server", "member"),
    ],
    ids=["value", "unknown", "zone", "inventory", "row", "column"],
)
def test_a_change_with_a_name_that_fits_is_noticed_by_the_next_month(root, chain, change):
    """The month after it names another digest; what is sealed counts only up to there."""
    forged = forge(chain[1].path, change)
    assert forged.name != chain[1].path.name
    assert [f.path for f in verify(root)] == [chain[2].path]
    assert seals(root)[0] == chain[0]
    assert len(seals(root)) == 2
    with pytest.raises(NasacctError, match="no month is sealed"):
        seal(root, "2026-12", PRAGUE, "7", month())


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace('"rows":3', '"rows":4'),
        lambda t: t.replace('["103",0]\n', '["103", 0]\n'),
        lambda t: t.replace('["103",0]\n', '["103","0"]\n'),
        lambda t: t.replace('["103",0]\n', '["103",9223372036854775808]\n'),
        lambda t: t.replace('["103",0]\n', '["\\ud800",0]\n'),
        lambda t: t.replace('["103",0]\n', "[" * 100_000 + "\n"),
        lambda t: t.removesuffix("\n"),
        lambda t: "\n".join([*t.splitlines()[:1], *t.splitlines()[:0:-1], ""]),
        lambda t: t.replace('"zone"', '"Zone"'),
        lambda t: t.replace(',"previous"', ',"more":1,"previous"'),
        lambda t: "[]\n" + t,
        lambda t: "",
    ],
    ids=["count", "blank", "kind", "size", "surrogate", "deep", "newline", "order", "key", "more", "first", "empty"],
)
def test_what_is_not_written_as_the_format_says_is_noticed(root, chain, change):
    """Also in the last month, that no other one names, and with a name that fits."""
    forged = forge(chain[2].path, change)
    assert [f.path for f in verify(root)] == [forged]
    before = [s for s in seals(root) if s.path == forged]
    for sealed in before:
        with pytest.raises(SealError):
            rows(sealed)


def test_a_month_that_is_gone_renamed_or_there_twice_is_noticed(root, chain):
    """Wherever it is in the chain; only what is taken from the end leaves no trace, as the head's digest differs."""
    for i, sealed in enumerate(chain[:2]):
        away = sealed.path.rename(root / "away")
        assert [f.path for f in verify(root)] == [chain[i + 1].path]
        assert seals(root) == chain[:i]
        away.rename(sealed.path)
    for other in ("2026-12", "2026-08"):
        moved = chain[2].path.rename(chain[2].path.with_name(chain[2].path.name.replace("2026-11", other)))
        assert moved in {f.path for f in verify(root)}
        moved.rename(chain[2].path)
    other = chain[1].path.with_name(f"2026-10-{'0' * 64}.jsonl")
    other.write_bytes(chain[1].path.read_bytes())
    assert {f.path for f in verify(root)} >= {chain[1].path}
    assert seals(root)[0] == chain[0]
    other.unlink()
    assert verify(root) == []
    chain[2].path.unlink()
    assert verify(root) == []
    assert seals(root)[-1].digest == chain[1].digest


def test_what_is_no_sealed_month_is_told_and_does_no_harm(root, chain):
    """A foreign file breaks no chain; a folder in the place of one is no traceback."""
    (root / "sealed" / "notes.txt").write_text("October was long")
    (root / "sealed" / f"2026-12-{'0' * 64}.jsonl").mkdir()
    assert {(f.kind, f.path.name[:7]) for f in verify(root)} == {("foreign", "notes.t"), ("unreadable", "2026-12")}
    assert seals(root) == chain


def test_a_newer_version_is_refused_in_a_sentence(root, chain):
    """Before anything is written."""
    forge(chain[2].path, lambda t: t.replace('"nasacct_seal":1', '"nasacct_seal":2'))
    before = {p: p.read_bytes() for p in (root / "sealed").iterdir()}
    for ask in (seals, sealed_until, verify, lambda r: seal(r, "2026-12", PRAGUE, "7", month())):
        with pytest.raises(NasacctError, match="version 2"):
            ask(root)
    assert {p: p.read_bytes() for p in (root / "sealed").iterdir() if p.name != "seal.lock"} == {
        p: c for p, c in before.items() if p.name != "seal.lock"
    }


def test_what_a_killed_sealer_left_is_no_seal_and_goes(root, chain):
    """A torn temporary file is not looked at; the next month that is sealed removes it."""
    left = root / "sealed" / ".2026-12.jsonl.tmp"
    left.write_bytes(chain[2].path.read_bytes()[:50])
    assert verify(root) == []
    assert seals(root) == chain
    seal(root, "2026-12", PRAGUE, "7", month())
    assert not left.exists()
    assert verify(root) == []


def test_who_seals_while_another_one_does_is_told_who(root):
    """The sentence names the holder."""
    with (
        hold(root / "sealed" / "seal.lock", "", ""),
        pytest.raises(NasacctError, match=f"pid {os.getpid()}") as refused,
    ):
        seal(root, "2026-10", PRAGUE, "7", month())
    assert refused.value.status == TEMPORARY
    assert seals(root) == []


def _race(root, mine, barrier, said):
    barrier.wait(30)
    try:
        said.put(seal(root, "2026-10", PRAGUE, "7", month(("a", mine))).digest)
    except NasacctError as error:
        said.put(error.sentence)


def test_of_processes_that_seal_at_once_one_does(root):
    """Whatever their order, one seal is there, sound, and the others are refused."""
    context = multiprocessing.get_context("spawn")
    barrier, said = context.Barrier(4), context.Queue()
    racers = [context.Process(target=_race, args=(root, i, barrier, said)) for i in range(4)]
    for racer in racers:
        racer.start()
    answers = [said.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join(60)
    (sealed,) = seals(root)
    assert answers.count(sealed.digest) == 1
    assert all("already" in a or "other content" in a for a in answers if a != sealed.digest)
    assert verify(root) == []


def test_twenty_lines_of_another_program_verify_it(root, chain):
    """What docs/format.md promises: names, sha256 and first lines are enough."""
    before = None
    for path in sorted(Path(root, "sealed").glob("*.jsonl")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.stem == f"{path.stem[:7]}-{digest}"
        assert json.loads(path.read_text().split("\n")[0])["previous"] == before
        before = digest
    assert before == chain[-1].digest
