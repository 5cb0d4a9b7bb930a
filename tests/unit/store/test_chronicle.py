"""Chronicles: what people said is only added to, read whole or refused, and the same wherever stores meet."""

import json
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasacct.errors import DATA, NO_INPUT, TEMPORARY, USAGE, NasacctError
from nasacct.store import judgements, notes, root
from nasacct.store.check.whole import check
from nasacct.store.chronicle import Entry
from nasacct.store.judgements import Judged
from nasacct.times import us

AT = datetime(2026, 11, 27, 14, 0, tzinfo=UTC)
SPAN = (AT, AT + timedelta(minutes=20))
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(str.strip)
EPISODE = "tank@2026-11-27T14:05:00Z"


@pytest.fixture
def store(tmp_path):
    where = tmp_path / "store"
    root.prepare(where)
    return where


def outcome(what):
    """What a call gives back, or the error that it raises."""
    try:
        return what()
    except NasacctError as error:
        return error


def say(where, text="replaced sdc", nodes=("nas1",), now=AT, span=SPAN, **more):
    return notes.tell(where, text, span, nodes, now, **more)


def lines(where, chronicle=notes.CHRONICLE):
    return (where / chronicle.file).read_bytes()


@settings(deadline=None, max_examples=50)
@given(
    said=st.lists(st.tuples(WORDS, st.none() | WORDS, st.none() | st.sampled_from(["tank", "a b"])), max_size=5),
    seed=st.integers(0, 99),
)
def test_what_was_said_is_read_and_every_line_before_stays_as_it_was(tmp_path_factory, said, seed):
    """Whatever the words; also when notes are taken back in between."""
    where = tmp_path_factory.mktemp("chronicle") / "store"
    root.prepare(where)
    dice, before, told, gone = random.Random(seed), b"", {}, set()
    for text, by, pool in said:
        note = say(where, text, by=by, pool=pool, now=AT - timedelta(days=dice.randint(-9, 9)))
        told[note.id] = (text, by, pool)
        if dice.random() < 0.4:
            gone.add(note.id)
            assert notes.remove(where, note.id, AT, by).removed == AT
        assert lines(where).startswith(before)
        before = lines(where)
    found = notes.read(where)
    assert {n.id: (n.text, n.by, n.pool) for n in found} == told
    assert {n.id for n in found if n.removed} == gone
    assert {n.id for n in notes.notes(where, "nas1", us(AT), us(AT) + 1)} == told.keys() - gone


@pytest.mark.parametrize(
    ("lo", "hi", "touched"),
    [(-5, 0, False), (-5, 1, True), (10, 11, True), (1199, 2000, True), (1200, 2000, False)],
)
def test_a_note_is_of_its_span_its_nodes_and_its_pool(store, lo, hi, touched):
    """Its end is no part of it; a pool that is not known may be its."""
    say(store, nodes=["nas1", "nas2"], pool="tank")
    span = tuple(us(AT + timedelta(seconds=s)) for s in (lo, hi))
    for node in ("nas1", "nas2"):
        assert bool(notes.notes(store, node, *span)) is touched
        assert bool(notes.notes(store, node, *span, pool="tank")) is touched
    assert not notes.notes(store, "nas3", *span)
    assert not notes.notes(store, "nas1", *span, pool="other")


def test_a_moment_is_touched_by_what_holds_it(store):
    """Also by what begins with it."""
    say(store, span=(AT, AT))
    at = us(AT)
    assert [bool(notes.notes(store, "nas1", *span)) for span in ((at - 9, at), (at, at + 1), (at + 1, at + 9))] == [
        False,
        True,
        False,
    ]


def test_of_two_judgements_the_later_holds_and_both_are_kept(store):
    """Whatever the clock says."""
    judged = Judged("members", ("server:101", "local"), 0.93, "nas1", AT)
    judgements.judge(store, EPISODE, "confirmed", AT, judged=judged, by="one")
    before = lines(store, judgements.CHRONICLE)
    judgements.judge(store, EPISODE, "rejected", AT - timedelta(days=1), text="a scrub")
    judgements.judge(store, "other", "confirmed", AT - timedelta(days=1))
    assert lines(store, judgements.CHRONICLE).startswith(before)
    found = judgements.of(store, EPISODE)
    assert found is not None
    assert (found.judgement, found.text, found.judged) == ("rejected", "a scrub", None)
    assert [(j.judgement, j.judged, j.holds) for j in judgements.read(store) if j.episode == EPISODE] == [
        ("confirmed", judged, False),
        ("rejected", None, True),
    ]
    assert judgements.of(store, "third") is None


def test_an_erased_text_is_in_no_file(store):
    """Everything else of it stays."""
    kept, gone = say(store, "sdb"), say(store, "Jana moved")
    assert notes.erase(store, gone.id, AT).text is None
    assert b"Jana" not in lines(store)
    assert {n.id: n.text for n in notes.read(store)} == {kept.id: "sdb", gone.id: None}
    judgements.judge(store, EPISODE, "rejected", AT, text="it was Jana")
    judgements.judge(store, "other", "rejected", AT, text="sdb")
    assert judgements.erase(store, EPISODE, AT) == 1
    assert judgements.erase(store, EPISODE, AT) == 0
    assert b"Jana" not in lines(store, judgements.CHRONICLE)
    assert {j.text for j in judgements.read(store)} == {None, "sdb"}


@settings(deadline=None, max_examples=50)
@given(steps=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["say", "remove", "erase", "learn"])), max_size=12))
def test_stores_that_learn_of_each_other_say_the_same(tmp_path_factory, steps):
    """In whichever order; what is removed or erased in one of them is in all."""
    stores = [tmp_path_factory.mktemp("stores") / "store" for _ in range(3)]
    for where in stores:
        root.prepare(where)
    for number, (which, what) in enumerate(steps):
        where = stores[which]
        standing = [n for n in notes.read(where) if n.removed is None]
        if what == "say":
            say(where, f"note {number}")
            judgements.judge(where, EPISODE, "rejected" if number % 2 else "confirmed", AT, text=str(number))
        elif what == "learn":
            notes.CHRONICLE.merge(where, notes.CHRONICLE.read(stores[which - 1]))
        elif standing and what == "remove":
            notes.remove(where, standing[0].id, AT)
        elif standing:
            notes.erase(where, standing[0].id, AT)
    for chronicle in (notes.CHRONICLE, judgements.CHRONICLE):
        for here in [*stores, *stores]:
            for there in stores:
                chronicle.merge(here, chronicle.read(there))
    assert notes.read(stores[0]) == notes.read(stores[1]) == notes.read(stores[2])
    assert judgements.read(stores[0]) == judgements.read(stores[1]) == judgements.read(stores[2])
    before = lines(stores[0]) if (stores[0] / notes.CHRONICLE.file).exists() else None
    notes.CHRONICLE.merge(stores[0], notes.CHRONICLE.read(stores[1]))
    assert before is None or lines(stores[0]) == before


def test_what_nobody_can_have_meant_is_refused(store):
    """With a sentence, and nothing is written."""
    for wrong in (
        lambda: say(store, " \n"),
        lambda: say(store, "x" * 2001),
        lambda: say(store, "\udcff"),
        lambda: say(store, by="\udcff"),
        lambda: say(store, by=""),
        lambda: say(store, pool=""),
        lambda: say(store, pool="a\nb"),
        lambda: say(store, span=SPAN[::-1]),
        lambda: notes.remove(store, "2a4f09c1", AT),
        lambda: notes.erase(store, "2a4f09c1", AT),
        lambda: judgements.judge(store, "", "confirmed", AT),
        lambda: judgements.judge(store, "a\x1b[2J", "confirmed", AT),
        lambda: judgements.judge(store, "x" * 201, "confirmed", AT),
        lambda: judgements.erase(store, "-", AT),
    ):
        with pytest.raises(NasacctError) as refused:
            wrong()
        assert refused.value.status == USAGE
    assert not list(store.glob("*.jsonl"))
    with pytest.raises(NasacctError) as refused:
        say(store.parent)
    assert refused.value.status == NO_INPUT


def test_a_removed_note_is_not_removed_twice(store):
    """Nor is a removal taken for a note."""
    note = say(store)
    notes.remove(store, note.id, AT)
    removal = notes.CHRONICLE.read(store)[-1]
    for named in (note.id, removal.id):
        with pytest.raises(NasacctError):
            notes.remove(store, named, AT)


@pytest.mark.parametrize("chronicle", [notes.CHRONICLE, judgements.CHRONICLE])
def test_one_of_a_newer_version_is_refused_and_nothing_is_written(store, chronicle):
    """Neither read nor added to; a check tells it."""
    path = store / chronicle.file
    path.write_text(json.dumps({f"nasacct_{chronicle.called}": 2}) + "\n")
    before = path.read_bytes()
    found = [outcome(what) for what in (lambda: say(store), lambda: judgements.judge(store, EPISODE, "confirmed", AT))]
    refused = found[chronicle is judgements.CHRONICLE]
    assert (refused.status, "of version 2" in refused.sentence) == (DATA, True)
    assert path.read_bytes() == before
    with pytest.raises(NasacctError, match="of version 2, this nasacct knows 1; update it"):
        chronicle.read(store)
    assert {f.path for f in check(store).findings} == {path}


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_no_damage_goes_unseen(tmp_path_factory, data):
    """A flipped bit, a lost end, a foreign line: refused in a sentence by who reads and by who would add to it."""
    where = tmp_path_factory.mktemp("damaged") / "store"
    root.prepare(where)
    notes.remove(where, say(where, "sdb").id, AT)
    say(where, "žluťoučký \u2028 kůň")
    told = notes.read(where)
    whole = bytearray(lines(where))
    how = data.draw(st.sampled_from(["flip", "cut", "line"]))
    at = data.draw(st.integers(0, len(whole) - 1))
    if how == "flip":
        whole[at] ^= 1 << data.draw(st.integers(0, 7))
    elif how == "cut":
        del whole[at:]
    else:
        whole += data.draw(st.binary(max_size=20)) + b"\n"
    kept = bytes(whole)
    (where / notes.CHRONICLE.file).write_bytes(kept)
    found = outcome(lambda: notes.read(where))
    if isinstance(found, NasacctError):
        assert found.status == DATA
        assert isinstance(outcome(lambda: say(where)), NasacctError)
        assert lines(where) == kept
    elif how == "cut":
        # whole lines that are lost with the file's end cannot be told from lines that were never there
        assert kept.endswith(b"\n")
    else:
        # a digit of an escape is as good in the other case
        assert found == told


@given(
    said=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
        max_leaves=9,
    ),
    field=st.sampled_from(["from", "to", "nodes", "pool", "removes", "episode", "judgement", "judged", None]),
)
def test_lines_that_say_something_else_are_refused(said, field):
    """Each property of an entry may be anything."""
    whole = {
        "notes": {"from": "2026-11-27T14:00:00Z", "to": "2026-11-27T15:00:00Z", "nodes": ["nas1"], "pool": None},
        "judgements": {"episode": EPISODE, "judgement": "confirmed", "judged": None},
    }
    for chronicle in (notes.CHRONICLE, judgements.CHRONICLE):
        what = said if field is None else whole[chronicle.called] | {field: said}
        if not isinstance(what, dict):
            continue
        line = Entry("2a4f09c1", AT, None, None, what).encode()
        content = f'{{"nasacct_{chronicle.called}":1}}\n{line}\n'.encode()
        found = outcome(lambda chronicle=chronicle, content=content: chronicle.decoded(content, "x"))
        if isinstance(found, NasacctError):
            assert found.status == DATA
        elif chronicle is notes.CHRONICLE:
            assert len(notes._made(found)) == ("removes" not in what)
        else:
            assert judgements._made(found[0]).episode == what["episode"]


WRITER = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from nasacct.errors import NasacctError
from nasacct.store import notes
root, who = Path(sys.argv[1]), sys.argv[2]
now = datetime.now(UTC)
sys.stdin.readline()
for number in range(30):
    while True:
        try:
            print(notes.tell(root, f"{who} {number}", (now, now), ["nas1"], now).id)
            break
        except NasacctError as error:
            if error.status != 75:
                raise
"""


def test_two_who_write_at_once_lose_nothing(store):
    """Each is either refused as the other one writes, or what they said is there."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, store, who], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for who in ("a", "b")
    ]
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    told = [writer.communicate(timeout=60)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    found = {note.text: note.id for note in notes.read(store)}
    assert [[found[f"{who} {number}"] for number in range(30)] for who in ("a", "b")] == told
    assert len(found) == 60


def test_who_writes_while_another_does_is_told_who_that_is(store):
    """And that it may be said again."""
    with root.hold(store / notes.CHRONICLE.lock, "taken", "wait"), pytest.raises(NasacctError) as refused:
        say(store)
    assert refused.value.status == TEMPORARY
    assert "is being written: pid" in refused.value.sentence
