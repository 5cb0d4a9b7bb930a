"""The inventory: at every moment it says what was told last of it, and nothing that was told is lost."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasacct.errors import NasacctError
from nasacct.store import cuts, inventory, root
from nasacct.store.inventory import EVER, Inventory, Statement

HOUR = 3_600_000_000
BEGAN = 1_796_000_000_000_000


def export(at, member, name="123", told=1_796_000_000):
    """From then on the export is that member's; None: it is no more."""
    properties = None if member is None else {"server": name, "dataset": f"{member}/photos", "member": member}
    return Statement("export", name, at, properties, told)


@pytest.fixture
def store(tmp_path):
    root.prepare(tmp_path / "store")
    return tmp_path / "store"


MOMENTS = st.one_of(st.just(EVER[0]), st.integers(0, 20).map(lambda n: BEGAN + n))
TOLD = st.lists(st.tuples(MOMENTS, st.sampled_from(["1001", "1002", None])), max_size=12)


@given(told=TOLD)
def test_at_every_moment_it_is_what_was_told_last(told):
    """Of the latest moment up to then; corrections, repetitions and ends in any order."""
    found = Inventory(export(at, member) for at, member in told)
    for moment in range(BEGAN - 1, BEGAN + 22):
        past = [at for at, _ in told if at <= moment]
        expected = [member for at, member in told if past and at == max(past)][-1:]
        known = found.at("export", "123", moment)
        assert [known["member"] if known else None] == (expected or [None])
    intervals = found.things("export").get("123", [])
    assert all(a.since < a.until <= b.since < b.until for a, b in pairwise(intervals))
    # who asks only between the moments at which it changes hands asks one member
    hands = sorted(found.hands())
    for since, until in zip([BEGAN - 1, *hands], [*hands, BEGAN + 22], strict=True):
        owners = {(found.at("export", "123", m) or {}).get("member") for m in range(since, until)}
        assert len(owners) <= 1


@given(told=st.lists(st.tuples(st.sampled_from("ab"), MOMENTS, st.sampled_from(["1001", "1002"])), max_size=8))
def test_what_stays_hides_nothing_that_changes_hands_at_the_same_moment(told):
    """Of two exports each."""
    both = Inventory(export(at, member, name) for name, at, member in told)
    each = [Inventory(export(at, member, name) for n, at, member in told if n == name) for name in "ab"]
    assert both.hands() == each[0].hands() | each[1].hands()


@given(told=st.lists(st.tuples(MOMENTS, st.sampled_from(["1001", "1002", None]), st.booleans()), max_size=8))
def test_what_is_told_by_hand_holds_from_its_moment_on(told):
    """Whatever others tell, and in whichever order: they are heard of what was before."""
    found = Inventory(replace(export(at, member), by="hand" if hand else "vpsadmin") for at, member, hand in told)
    since = min((at for at, _, hand in told if hand), default=EVER[1])
    alone = [
        Inventory(export(at, member) for at, member, hand in told if which(hand, at))
        for which in (lambda hand, _: hand, lambda hand, at: not hand and at < since)
    ]
    for moment in range(BEGAN - 1, BEGAN + 22):
        of = alone[moment < since]
        assert found.at("export", "123", moment) == of.at("export", "123", moment)


@given(told=TOLD, seed=st.integers(0, 99))
def test_what_is_told_in_several_turns_is_told(tmp_path_factory, told, seed):
    """Read back it is the same, and its version says whether it is."""
    where = tmp_path_factory.mktemp("inventory") / "store"
    root.prepare(where)
    rest = [export(at, member) for at, member in told]
    dice = random.Random(seed)
    while rest:
        count = dice.randint(1, len(rest))
        inventory.tell(where, rest[:count])
        rest = rest[count:]
    found = inventory.read(where)
    whole = Inventory(export(at, member) for at, member in told)
    assert dict(found.things("export")) == dict(whole.things("export"))
    assert set(cuts.known(where)) >= found.hands()
    assert found.version == inventory.tell(where, []).version == Inventory(found.statements).version


def test_repeating_changes_nothing(store):
    """Neither the file nor its version."""
    first = inventory.tell(store, [export(EVER[0], "1001"), export(BEGAN, "1002")])
    before = (store / inventory.FILE).read_bytes()
    assert inventory.tell(store, [export(BEGAN, "1002", told=1_797_000_000)]).version == first.version
    assert (store / inventory.FILE).read_bytes() == before
    assert inventory.tell(store, [export(BEGAN + 1, "1001")]).version != first.version


def test_usage_is_kept_around_the_moments_at_which_something_changes_hands(store):
    """A new name or dataset is none; another server of an export is one, for that server's usage is somebody else's."""
    moved = Statement("export", "123", BEGAN + HOUR, {"server": "123", "dataset": "x", "member": "1001"}, 1)
    inventory.tell(store, [export(EVER[0], "1001"), moved, export(BEGAN + 2 * HOUR, "1002")])
    inventory.tell(
        store, [Statement("vps", "21", BEGAN, {"member": "1001"}, 1), Statement("vps", "21", BEGAN + 5, None, 1)]
    )
    elsewhere = Statement("export", "123", BEGAN + 3 * HOUR, {"server": "7", "dataset": "x", "member": "1002"}, 1)
    inventory.tell(store, [elsewhere])
    assert cuts.known(store) == (BEGAN, BEGAN + 5, BEGAN + 2 * HOUR, BEGAN + 3 * HOUR)


TELLERS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["123", "7"]),
        MOMENTS,
        st.sampled_from(["1001", "1002", None]),
        st.sampled_from(["hand", "vpsadmin"]),
        st.integers(1, 4),
    ),
    max_size=10,
)


@settings(deadline=None, max_examples=60)
@given(told=TELLERS, order=st.randoms())
def test_stores_that_learn_of_each_other_say_the_same(tmp_path_factory, told, order):
    """In whichever order, however often, whatever their clocks said: what holds in one place holds in all."""
    stores = [tmp_path_factory.mktemp("stores") / "store" for _ in range(3)]
    for where in stores:
        root.prepare(where)
    for which, name, at, member, by, clock in told:
        inventory.tell(stores[which], [replace(export(at, member, name, clock), by=by)])
    pairs = [(a, b) for a in stores for b in stores if a != b]
    for _ in range(2):
        order.shuffle(pairs)
        for here, there in pairs:
            before = inventory.read(here)
            after = inventory.merge(here, inventory.read(there))
            assert after.statements[: len(before.statements)] == before.statements
            assert inventory.merge(here, inventory.read(there)).version == after.version
    every = [inventory.read(where) for where in stores]
    for other in every[1:]:
        assert other.said == every[0].said
        assert dict(other.things("export")) == dict(every[0].things("export"))
        assert other.hands() == every[0].hands()
    assert all(set(cuts.known(where)) >= every[0].hands() for where in stores)


def test_a_mistake_that_was_mended_is_mended_wherever_both_come(tmp_path):
    """Also where the clock was set back in between."""
    for name in ("here", "there"):
        root.prepare(tmp_path / name)
    first = inventory.tell(tmp_path / "here", [export(BEGAN, "1001", told=1_797_000_000)])
    inventory.merge(tmp_path / "there", first)
    mended = inventory.tell(tmp_path / "here", [export(BEGAN, "1002", told=1_796_000_000)])
    found = inventory.merge(tmp_path / "there", mended)
    assert found.at("export", "123", BEGAN)["member"] == "1002"
    assert inventory.merge(tmp_path / "here", first).at("export", "123", BEGAN)["member"] == "1002"


def test_a_damaged_line_is_refused_with_a_sentence(store):
    """Every single bit of it: a wrong owner is worse than no answer."""
    inventory.tell(store, [export(EVER[0], "1001"), export(BEGAN, "1002")])
    path = store / inventory.FILE
    content = path.read_bytes()
    right = inventory.read(store).things("export")
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ (1 << at % 8)]) + content[at + 1 :])
        said = None
        try:
            assert inventory.read(store).things("export") == right
        except NasacctError as error:
            said = error.sentence
        assert said is None or (str(path) in said and said.endswith(("bring the file back from a copy", "update it")))
    path.write_bytes(content[:-5])
    with pytest.raises(NasacctError, match=r"line 3 of .*inventory.jsonl is damaged"):
        inventory.read(store)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (Statement("house", "1", BEGAN, {}, 1), "'house' is none of member, vps, address, export, server"),
        (Statement("vps", "1", BEGAN, {"owner": "1"}, 1), "vps 1 has no 'owner', but name, member, node"),
    ],
)
def test_what_an_inventory_does_not_know_is_refused(store, statement, why):
    """Nothing of the statements beside it is told either."""
    with pytest.raises(ValueError, match=why):
        inventory.tell(store, [export(BEGAN, "1001"), statement])
    assert inventory.read(store).statements == ()


def test_two_cannot_tell_at_the_same_time(store):
    """The second is told of the first."""
    with root.hold(store / "inventory.lock", "taken", "wait"), pytest.raises(NasacctError, match="being told already"):
        inventory.tell(store, [export(BEGAN, "1001")])
