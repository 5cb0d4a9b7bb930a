"""Forgetting a member: nothing below the root names them then, and everybody else's figures are what they were."""

import shutil
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forgetful import ADDRESSES, MEASURES, NAMES, PLAIN, START, id_of, record, told
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasacct.config.tables import Config, Privacy, Store
from nasacct.reports.owners import Addresses
from nasacct.reports.usage_rows import usage
from nasacct.store import (
    addresses,
    forgetting,
    forgotten,
    inventory,
    journal,
    journal_striking,
    personal,
    root,
    strikes,
    striking,
)
from nasacct.store import keep as keeper
from nasacct.store.check.whole import check
from nasacct.store.inventory import Statement
from nasacct.store.keep import Rules, keep
from nasacct.store.pulling.remote import Remote
from nasacct.store.pulling.rounds import Pull
from nasacct.store.root import lock
from nasacct.store.tree import Tree

NOW = datetime(2026, 11, 28, tzinfo=UTC)
#: What is replaced stays, as when a reader may have it open; and it goes at once.
STAY = Rules({"readings": 40, "usage": 400}, grace_s=1e12)
GO = Rules({"readings": 40, "usage": 400}, grace_s=-1e12)


def contents(where):
    """Of every file below the root what is written in it, with every text of a segment."""
    for path in sorted(p for p in where.rglob("*") if p.is_file()):
        yield path, str(path).encode() + path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            texts = [table.column(f.name).unique().to_pylist() for f in table.schema if pa.types.is_string(f.type)]
            yield path, repr(texts).encode() + repr(table.schema.metadata).encode()


def named(where, words):
    """Which files have any of these words."""
    return sorted({(path.name, word) for path, text in contents(where) for word in words if word.encode() in text})


def forget(where, member="1001", now=NOW):
    """Forget somebody as the command does; whether everything is done."""
    with ExitStack() as given_back:
        for tree in (mine := [Tree(where, "nas1")]):
            given_back.enter_context(lock(where, tree.node, "keep"))
        forgetting.forget(where, member, now)
        done = [striking.strike(tree) for tree in mine]
        return all(done)


def sums(where, besides=()):
    """What everybody moved, by server, member's number and client, but for these clients and what is no client's."""
    found = {}
    for by in ("server", "member"):
        for row in usage(where, by, ring=None):
            found[by, row[by]] = tuple(row[f"{m}{kind}"] for m in MEASURES for kind in ("", "_max", "_quality"))
    # of a client what is certain: what is possible is less by what is certain of others, also of who is forgotten; and
    # an address that is two members' has a row for each of them until one is forgotten
    for row in usage(where, "client", ring=None):
        if row["client"] is not None and row["client"] not in besides:
            name = "client", row["client"], row["owner"]
            found[name] = tuple(row[m] + before for m, before in zip(MEASURES, found.get(name, (0, 0)), strict=True))
    return found


@pytest.fixture
def store(tmp_path):
    """A store of an hour in every form, of whose last minutes there is only the journal."""
    recorder = record(tmp_path / "store") if root.prepare(tmp_path / "store") is None else None
    assert recorder
    inventory.tell(tmp_path / "store", PLAIN)
    return tmp_path / "store"


AT = {"in the journal": None, "in parts": 11.5 * 3600, "in days": 50 * 3600}


@pytest.mark.parametrize("form", AT)
@pytest.mark.parametrize("rules", [STAY, GO])
def test_nothing_names_who_is_forgotten(store, form, rules):
    """In whichever form the store is: names, addresses and rows are gone, others' are the same, check is content."""
    tree = Tree(store, "nas1")
    if AT[form]:
        midnight = START.timestamp() // 86400 * 86400
        assert keep(tree, midnight + AT[form], rules) == 0
    mine = ("192.0.2.101", "2001:db8:aaaa::5")
    before = sums(store, mine)
    # the next run of the collector goes on from the newest file, so that one stays with what it read, as nobody's
    assert not forget(store)
    assert named(store, (*NAMES, *mine, "2001:db8:aaaa")) == []
    (newest,) = journal.files(tree.journal)[-1:]
    orders = {p.name for p in strikes.ordered(tree.folder)}
    assert {n for n, _ in named(store, [*map(id_of, mine)])} <= {newest.name, f"{newest.stem}.head", *orders}
    assert sums(store) == before
    assert check(store).findings == []
    assert forgotten.read(store).keys() == {"1001"}


def test_paths_of_their_exports_leave_the_address_book(store):
    """Which export_stats has told, with or without the container's directory; another member's stay."""
    tree = Tree(store, "nas1")
    assert keep(tree, START.timestamp() + 50 * 3600, GO) == 0
    told_of = {"p1": "/export/tank/aurelia", "p2": "/tank/aurelia/private", "p3": "/export/tank/boris"}
    with (tree.folder / addresses.FILE).open("a") as book:
        book.writelines(f"{addresses.Entry(i, path, int(START.timestamp())).encode()}\n" for i, path in told_of.items())
    forget(store)
    assert told_of.keys() & addresses.book(tree.folder).keys() == {"p3"}
    assert named(store, NAMES) == []


def test_the_newest_file_is_struck_when_another_one_is_begun(tmp_path):
    """Nothing of it is shown meanwhile; then no id is left, nor any order."""
    root.prepare(tmp_path)
    recorder = record(tmp_path)
    inventory.tell(tmp_path, PLAIN)
    tree = Tree(tmp_path, "nas1")
    before = sums(tmp_path, ("192.0.2.101", "2001:db8:aaaa::5"))
    with lock(tmp_path, "nas1", "collect"):
        assert not forget(tmp_path)
        assert {p.name for p, _ in contents(tree.folder) if p.name.startswith("strike-")}
        assert sums(tmp_path) == before
        recorder.now = type(recorder.now)(int(NOW.timestamp() + 60) * 10**9, recorder.now.boot_ns + 10**15)
        gone = {id_of("192.0.2.101"), id_of("2001:db8:aaaa::5")}
        recorder.rotate()
        # they are there still: what was born before it was forgotten brings nobody back
        every = (*recorder.alive["links"], *recorder.alive["clients"])
        recorder.cycle({t: dict.fromkeys(MEASURES, 10**6) for t in every})
        recorder.rotate()
        stays = {t: dict.fromkeys(MEASURES, 10**7) for t in recorder.alive["links"]}
        stays |= {t: dict.fromkeys(MEASURES, 10**6) for t in recorder.alive["clients"] if t.keys["client"] not in gone}
        recorder.cycle(stays)
        recorder.rotate()
        recorder.cycle(stays)
        for _ in range(3):
            assert keep(tree, NOW.timestamp() + 1e6, GO) == 0
        assert named(tmp_path, gone) == []
        assert check(tmp_path).findings == []
    assert not [p for p in tree.folder.iterdir() if p.name.startswith("strike-")]
    assert addresses.book(tree.folder).keys().isdisjoint(gone)


def owner(known, address, hour):
    """The member whose VPS's an address was so many hours after the start."""
    moment = told(hour, "vps", "0").at
    vps = Addresses(known).at(address, moment).vps
    return (known.at("vps", vps, moment) or {}).get("member") if vps else None


#: Whose a VPS was, and which prefix was whose VPS's, at moments of the recorded hour or for ever.
MOMENTS = st.none() | st.floats(0, 1.5)
VPSES = st.tuples(MOMENTS, st.sampled_from(["21", "22", "23"]), st.sampled_from(["1001", "1002", None]))
PREFIXES = st.tuples(
    MOMENTS,
    st.sampled_from([*(f"{a}/{128 if ':' in a else 32}" for a in ADDRESSES), "192.0.2.0/24", "2001:db8::/32", "::/0"]),
    st.sampled_from(["21", "22", "23", "", None]),
)
EXPORTS = st.tuples(MOMENTS, st.sampled_from(["101", "102"]), st.sampled_from(["1001", "1002", None]))
MERGES = st.tuples(MOMENTS, st.sampled_from([("1001", "1002"), ("1002", "1001"), ("1002", "1003")]))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The folder of a store of a day that is over, in segments and sums, with a journal's tail."""
    where = tmp_path_factory.mktemp("kept")
    root.prepare(where)
    record(where, minutes=50, start=START.replace(hour=23, minute=40))
    assert keep(Tree(where, "nas1"), START.timestamp() + 40 * 3600, STAY) == 0
    return where


@settings(deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
@given(
    vpses=st.lists(VPSES, max_size=5),
    prefixes=st.lists(PREFIXES, max_size=6),
    exports=st.lists(EXPORTS, max_size=4),
    merges=st.lists(MERGES, max_size=1),
)
def test_whoever_is_forgotten_others_are_what_they_were(kept, vpses, prefixes, exports, merges):
    """In arbitrary inventories: nothing says their name, nor an address that was theirs alone; sums are the same."""
    said = [told(None, "member", m, name=f"Name-of-{m}") for m in ("1001", "1002", "1003")]
    said += [
        told(at and 13.7 + at, "vps", v, **({"member": m, "name": f"host-of-{m}"} if m else {})) for at, v, m in vpses
    ]
    said += [
        Statement(
            "address", p, told(at and 13.7 + at, "vps", "0").at, None if v is None else {"vps": v} if v else {}, 1
        )
        for at, p, v in prefixes
    ]
    said += [
        told(at and 13.7 + at, "export", s, server=s, **({"member": m, "dataset": f"data-of-{m}"} if m else {}))
        for at, s, m in exports
    ]
    said += [told(at and 13.7 + at, "member", a, name=f"Name-of-{a}", into=b) for at, (a, b) in merges]
    with TemporaryDirectory() as folder:
        where = Path(folder) / "store"
        shutil.copytree(kept, where)
        inventory.tell(where, said)
        todo = forgetting.plan(where, "1001")
        gone = {a for a in ADDRESSES if any(id_of(a) in clients for clients in todo.clients.values())}
        mine = personal.Personal(inventory.read(where), "1001")
        every, shared = mine.addresses(ADDRESSES)
        assert gone == every
        assert shared.isdisjoint(gone)
        before = sums(where, gone)
        forget(where)
        assert named(where, ["Name-of-1001", "host-of-1001", "data-of-1001", *gone]) == []
        assert sums(where) == before
        assert check(where).findings == []
        # whoever else had an address that stays has it still, at the same time, and nobody else has
        for address in set(ADDRESSES) - gone:
            for hour in range(13 * 4, 16 * 4):
                was, is_ = (owner(known, address, hour / 4) for known in (mine.known, inventory.read(where)))
                assert is_ == (None if was == "1001" else was)
        # and once more: nothing is left to go
        assert forgetting.plan(where, "1001").changed == 0


def run_keeper(where, **days):
    """What `nasacct keep --once` does, with this configuration of privacy."""
    config = Config(root=where, node="nas1", privacy=Privacy(**days), store=Store(ring_dir=None))
    assert keeper.run(config, once=True) == 0


def test_members_who_are_gone_for_long_are_forgotten_by_the_keeper(store):
    """Those who are gone for less, and those who are there, stay."""
    now = datetime.now(UTC)
    ago = {member: int((now - timedelta(days=days)).timestamp() * 1e6) for member, days in (("1001", 11), ("1002", 9))}
    inventory.tell(store, [Statement("member", member, at, None, 1) for member, at in ago.items()])
    run_keeper(store, members_days=12)
    assert forgotten.read(store) == {}
    run_keeper(store, members_days=10)
    assert forgotten.read(store).keys() == {"1001"}
    assert named(store, (*NAMES, "192.0.2.101")) == []
    assert "Boris" in (store / inventory.FILE).read_text()
    told_at = forgotten.read(store)
    run_keeper(store, members_days=10)
    assert forgotten.read(store) == told_at


def test_addresses_that_were_not_seen_for_long_leave_the_book(tmp_path):
    """Counted back from the newest day; who was seen since stays, and every row does."""
    root.prepare(tmp_path)
    recorder = record(tmp_path, minutes=20)
    tree = Tree(tmp_path, "nas1")
    recorder.cycle({t: dict.fromkeys(MEASURES, 10**6) for t in recorder.alive["links"]}, sources=["clients"])
    seen_later = [t for t in recorder.things if t.keys.get("client") == id_of(ADDRESSES[0])][:1]
    for day in range(1, 5):
        recorder.wait(86_400)
        recorder.rotate()
        recorder.cycle({t: dict.fromkeys(MEASURES, 10**6 * (1 + day)) for t in recorder.alive["links"]})
    again = recorder.thing("clients", "boot/101/again", server="101", client=id_of(ADDRESSES[0]))
    again.about = dict(seen_later[0].about)
    for i in range(3):
        recorder.rotate()
        recorder.cycle(
            {t: dict.fromkeys(MEASURES, 10**8) for t in recorder.alive["links"]} | {again: {"sent_bytes": i}}
        )
    recorder.wait(2 * 86_400)
    for _ in range(2):
        recorder.rotate()
        recorder.cycle({t: dict.fromkeys(MEASURES, 10**9) for t in recorder.alive["links"]}, sources=["clients"])
    now = recorder.now.wall_ns / 1e9 + 86_400
    days = {"readings": 40, "usage": 400}
    assert keep(tree, now, Rules(days, 1e12, addresses_days=6)) == 0
    assert len(addresses.book(tree.folder)) == len(ADDRESSES)
    rows = sums(tmp_path).keys()
    (tree.folder / "keep.json").unlink()
    assert keep(tree, now, Rules(days, 1e12, addresses_days=3)) == 0
    assert {entry.address for entry in addresses.book(tree.folder).values()} == {ADDRESSES[0]}
    assert len(sums(tmp_path).keys()) == len(rows)
    assert check(tmp_path).findings == []


def test_a_copy_loses_what_its_source_forgot(tmp_path):
    """With the next rounds of pull; of its own inventory it forgets by itself."""
    source, copy = tmp_path / "source", tmp_path / "copy"
    for where in (source, copy):
        root.prepare(where)
        inventory.tell(where, PLAIN)
    record(source)
    tree = Tree(source, "nas1")
    assert keep(tree, START.timestamp() + 40 * 3600, STAY) == 0
    with Pull(Remote(str(source), threading.Event()), copy, GO) as pull:
        pull.round()
    words = (*NAMES, "192.0.2.101", "2001:db8:aaaa::5")
    assert named(copy, words)
    forget(source)
    with Pull(Remote(str(source), threading.Event()), copy, GO) as pull:
        pull.round()
        pull.round()
    with lock(copy, "nas1", "pull"):
        forgetting.forget(copy, "1001", NOW)
        striking.strike(Tree(copy, "nas1"))
    assert named(copy, words) == []
    assert check(copy).findings == []
    # until the source's next file the copy has what the newest one read, as nobody's
    mine = tuple(map(id_of, ("192.0.2.101", "2001:db8:aaaa::5")))
    assert sums(copy, mine) == sums(source, mine)


@settings(deadline=None)
@given(data=st.binary(max_size=200), where=st.integers(0, 10**6), width=st.integers(0, 300))
def test_damage_in_a_journal_is_damage_afterwards(journal_bytes, data, where, width):
    """Frames that are whole are read as before, but for whom it was struck; nothing makes it fail."""
    at = len(journal_striking.head(journal_bytes)) + where % (len(journal_bytes) * 3 // 4)
    hurt = journal_bytes[:at] + data + journal_bytes[at + width :]
    gone = strikes.Struck(frozenset({id_of(ADDRESSES[0])}))
    left = journal_striking.without(hurt, gone)
    assert not gone.is_in(left)
    assert ADDRESSES[0].encode() not in left
    with TemporaryDirectory() as folder:
        found = []
        for content in (hurt, left):
            path = Path(folder) / "00000001-20261123T100000Z-00000000.journal"
            path.write_bytes(content)
            found.append(journal.read(path))
    was, is_ = found
    assert [(f.seq, f.after_loss) for f in was.frames] == [(f.seq, f.after_loss) for f in is_.frames]
    for one, other in zip(was.frames, is_.frames, strict=True):
        stay = [s.identity for s in one.births if s.keys.get("client") not in gone.clients]
        assert [s.identity for s in other.births] == stay


@pytest.fixture(scope="module")
def journal_bytes(tmp_path_factory):
    """A journal file of a quarter of an hour, without its head's fellows."""
    where = tmp_path_factory.mktemp("bytes")
    record(where, minutes=15)
    return next((where / "node=nas1" / "journal").iterdir()).read_bytes()
