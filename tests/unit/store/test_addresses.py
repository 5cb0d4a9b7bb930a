"""The address book: every client that was counted is in it, and no damage makes one another one."""

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import Recorder

from nasacct.errors import NasacctError
from nasacct.store import addresses, journal
from nasacct.store.check.repair import repair
from nasacct.store.check.whole import check
from nasacct.store.keep import Rules, keep
from nasacct.store.newer import refuse_newer
from nasacct.store.segments import SegmentError
from nasacct.store.tree import Tree

KEPT = Rules({"readings": 40, "usage": 400}, 1e12)
START = "2026-11-23T10:00:00+00:00"
SEVEN, EIGHT, SIX = "192.0.2.7", "192.0.2.8", "2001:db8::6"


def client(recorder, number, address):
    found = recorder.thing("clients", f"boot/1/{number}", server="srv1", client=id_of(address))
    found.about = {"address": address}
    return found


def id_of(address):
    return f"{sum(address.encode()):016x}"


@pytest.fixture
def recorder(tmp_path):
    """One file in which two clients come, and a second one with a third; the last one is being written."""
    recorder = Recorder(tmp_path, start=START, interval_s=60)
    one, two, again = (client(recorder, n, a) for n, a in ((1, SEVEN), (2, EIGHT), (3, SEVEN)))
    for i in range(3):
        recorder.cycle({one: {"sent_bytes": 10 * i}} | ({two: {}, again: {}} if i else {}))
    recorder.rotate()
    three = client(recorder, 4, SIX)
    for i in range(3):
        recorder.cycle({one: {"sent_bytes": 10 * i}, three: {"received_bytes": i}})
    recorder.rotate()
    recorder.cycle({one: {}, three: {}})
    return recorder


@pytest.fixture
def tree(recorder):
    return Tree(recorder.root, "nas1")


def kept(tree):
    assert keep(tree, datetime.fromisoformat(START).timestamp(), KEPT) == 0
    return tree.folder / addresses.FILE


def seen(tree):
    start = int(datetime.fromisoformat(START).timestamp())
    return [(entry.address, entry.since - start) for entry in addresses.book(tree.folder).values()]


def test_every_client_is_in_it_once_from_when_it_was_first_seen(tree):
    """In whichever connection, and in the order in which they came."""
    kept(tree)
    assert seen(tree) == [(SEVEN, 0), (EIGHT, 60), (SIX, 180)]
    assert set(addresses.book(tree.folder)) == {id_of(a) for a in (SEVEN, EIGHT, SIX)}


def test_clients_whose_calls_were_sampled_are_in_it(tmp_path):
    """Also where their connections are not followed; a server's own row is no client."""
    recorder = Recorder(tmp_path, start=START, interval_s=60)
    keys = {"server": "srv1", "client": id_of(SIX), "operation": "read"}
    waits = recorder.thing("inflight", "boot/1/run-2", **keys)
    waits.about = {"address": SIX}
    server = recorder.thing("inflight", "boot/1/run-1", server="srv1", client=None, operation=None)
    recorder.cycle({server: {"sampled_us": 1}, waits: {"in_flight_us": 1}})
    recorder.rotate()
    recorder.cycle({server: {}, waits: {}})
    tree = Tree(recorder.root, "nas1")
    kept(tree)
    assert seen(tree) == [(SIX, 0)]


def test_who_was_there_before_a_file_is_told_by_its_head(tree):
    """As in a store whose keeper is younger than its journal."""
    _, second, _ = journal.files(tree.journal)
    addresses.learn(tree, journal.read(second))
    assert seen(tree) == [(SEVEN, 180), (EIGHT, 180), (SIX, 180)]


def test_what_is_known_is_not_written_again(tree, recorder):
    """Nor does a later sight of a client change since when it is known."""
    path = kept(tree)
    before = path.stat().st_ino
    one = client(recorder, 9, SEVEN)
    recorder.rotate()
    recorder.cycle({one: {}})
    recorder.rotate()
    recorder.cycle({one: {}})
    kept(tree)
    assert path.stat().st_ino == before


def test_a_store_without_clients_has_no_book(tmp_path):
    """They are off until they are named."""
    recorder = Recorder(tmp_path)
    one = recorder.thing("nfsd", server="srv1")
    for _ in range(2):
        recorder.cycle({one: {}})
        recorder.rotate()
    recorder.cycle({one: {}})
    tree = Tree(tmp_path, "nas1")
    assert not kept(tree).exists()
    assert addresses.book(tree.folder) == {}


def test_a_damaged_line_is_told_put_aside_and_mended(tree):
    """The others stay; what the book was lies in the quarantine."""
    path = kept(tree)
    whole = path.read_bytes()
    assert not check(tree.root).findings
    path.write_bytes(whole.replace(SEVEN.encode(), b"192.0.2.9"))
    with pytest.raises(SegmentError, match="1 of its lines"):
        addresses.book(tree.folder)
    (finding,) = check(tree.root).findings
    assert (finding.kind, finding.path) == ("damaged", path)
    done = repair(tree, datetime.fromisoformat(START).timestamp(), KEPT)
    assert [(each.kind, each.path) for each in done] == [("mended", path)]
    assert seen(tree) == [(EIGHT, 60), (SIX, 180)]
    assert b"192.0.2.9" in (tree.quarantine / path.name).read_bytes()


def test_a_later_version_is_refused_before_anything_is_written(tree):
    """In one sentence, and the journal stays as it is."""
    path = tree.folder / addresses.FILE
    path.write_text('{"nasacct_addresses": 2}\nsomething\n')
    for refuse in (refuse_newer, kept):
        with pytest.raises(NasacctError, match="is of version 2"):
            refuse(tree)
    assert not list(tree.folder.glob("usage/*/*.parquet"))
    assert [finding.kind for finding in check(tree.root).findings] == ["newer"]


@given(data=st.data())
def test_no_damage_gives_an_id_another_address(tmp_path_factory, data):
    """Bytes that change, go or come: an entry is what it was, or it is missing and that is told."""
    folder = tmp_path_factory.mktemp("book")
    told = [addresses.Entry(id_of(a), a, 1_800_000_000 + n) for n, a in enumerate((SEVEN, EIGHT, SIX))]
    path = folder / addresses.FILE
    addresses._write(path, told)
    content = bytearray(path.read_bytes())
    assert list(addresses.book(folder).values()) == told
    first = data.draw(st.integers(0, len(content) - 1))
    last = data.draw(st.integers(first, min(first + 5, len(content))))
    content[first:last] = data.draw(st.binary(max_size=5))
    path.write_bytes(content)
    try:
        found = addresses.book(folder)
    except (SegmentError, NasacctError):
        return
    assert set(found.values()) <= set(told)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda value: json.dumps(value).encode()),
        ),
        max_size=4,
    )
)
def test_no_content_breaks_the_reader(tmp_path_factory, lines):
    """Whatever the file holds, there is a sentence for it."""
    folder = tmp_path_factory.mktemp("book")
    (folder / addresses.FILE).write_bytes(b"\n".join(lines))
    with pytest.raises((SegmentError, NasacctError), match=addresses.FILE):
        addresses.book(folder)
