"""Episodes of UTC days: the same facts give the same ones, whichever days are asked for and whatever was kept."""

from datetime import UTC, date, datetime
from functools import partial

import numpy as np
import pytest
import series
from hypothesis import given, settings
from hypothesis import strategies as st

from nasacct.reports import episodes as kept
from nasacct.reports import facts as facts_of
from nasacct.reports import naming
from nasacct.reports.attribution import episodes
from nasacct.reports.attribution.facts import SCALES, Facts, joined, rounded
from nasacct.reports.attribution.saturation import levels, saturated
from nasacct.reports.attribution.thresholds import Thresholds
from nasacct.store import judged, notes, root
from nasacct.store.judged import next_day, start_of
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

LIMITS = Thresholds()
DAY = date(2026, 3, 28)  # the clocks of Europe go forward on the next one
SAMPLES = facts_of.DAY_S // 10


def facts(busy, start=None, present=None, *, rotational=True):
    """Facts of which only that is told how busy the disk is, and waits with it."""
    busy = np.asarray(busy, float)
    there = np.ones(len(busy), bool) if present is None else np.asarray(present, bool)
    none = np.zeros(len(busy))
    begin = start_of(DAY) if start is None else start
    return rounded(Facts(begin, rotational, there, busy, busy, 5 + 50 * busy, busy, busy, none, none))


#: (first sample, samples, how busy) of what happens in three days.
SPANS = st.lists(
    st.tuples(st.integers(0, 3 * SAMPLES - 1), st.integers(1, 400), st.sampled_from([0.5, 0.87, 0.97, None])),
    max_size=12,
)


def days(spans, *, rotational=True):
    """Three days' facts."""
    busy, present = np.full(3 * SAMPLES, 0.3), np.ones(3 * SAMPLES, bool)
    for first, count, value in spans:
        chosen = slice(first, first + count)
        busy[chosen], present[chosen] = (0, False) if value is None else (value, True)
    whole = facts(busy, start_of(DAY), present, rotational=rotational)
    begin = start_of(DAY)
    parts = {next_day(DAY, n): whole.of(begin + n * facts_of.DAY_S, begin + (n + 1) * facts_of.DAY_S) for n in range(3)}
    return whole, parts


def begun(parts, limits=LIMITS):
    """When the episodes of each day begin and end."""
    found = [kept.of_day(day, parts.get, limits) for day in parts]
    return [(day.seen.moment(each.first), day.seen.moment(each.end)) for day in found for each in day.episodes]


@given(SPANS)
@settings(max_examples=25)
def test_days_have_together_the_episodes_of_all_of_it(spans):
    """None is lost or told twice at a midnight of UTC, and none of less than a day is cut there."""
    whole, parts = days(spans)
    found = episodes.found(saturated(whole, LIMITS), whole.present, LIMITS)
    assert begun(parts) == [(whole.moment(each.first), whole.moment(each.end)) for each in found]


@given(SPANS, st.booleans())
@settings(max_examples=25)
def test_facts_that_were_kept_are_judged_as_they_were(tmp_path_factory, spans, rotational):
    """To the bit: facts, and so episodes by any thresholds, and the file's bytes."""
    _, parts = days(spans, rotational=rotational)
    part = parts[DAY]
    tree = Tree(tmp_path_factory.mktemp("kept"), "nas1")
    file = judged.write_table(tree, "tank", "facts", DAY, facts_of.table(part), facts_of.said(part))
    again = facts_of.kept(file)
    for name in ("present", *SCALES):
        assert np.array_equal(getattr(again, name), getattr(part, name), equal_nan=name != "present")
    assert (again.start, again.rotational) == (part.start, part.rotational)
    assert judged.write_table(tree, "tank", "facts", DAY, facts_of.table(again), facts_of.said(again)) == file


def test_a_day_of_facts_is_small(tmp_path):
    """Far below a megabyte, of numbers that no two samples have in common."""
    random = np.random.default_rng(1)
    part = facts(random.random(SAMPLES))
    file = judged.write_table(Tree(tmp_path, "nas1"), "t", "facts", DAY, facts_of.table(part), facts_of.said(part))
    assert file.path.stat().st_size < 300_000


def test_what_lasts_for_days_is_cut_at_midnights():
    """After a day: so every day has its part of it, and the parts follow one another."""
    _, parts = days([(100, 3 * SAMPLES - 200, 0.97)])
    begin = start_of(DAY)
    day = facts_of.DAY_S
    assert begun(parts) == [(begin + 1000, begin + 2 * day), (begin + 2 * day, begin + 3 * day - 1000)]


def test_an_episode_is_of_the_day_of_utc_on_which_it_began():
    """Also when clocks change in that night, and however long it goes on."""
    _, parts = days([(SAMPLES - 30, 60, 0.97)])
    first, second, _ = (kept.of_day(day, parts.get, LIMITS) for day in parts)
    assert len(first.episodes) == 1
    assert second.episodes == []
    assert kept.record("tank", first.seen, first.episodes[0], LIMITS)["id"] == "tank-20260328-235500"
    assert first.until == start_of(DAY) + facts_of.DAY_S + 300 + 1500


def test_what_must_be_known_for_a_day_does_not_change_it():
    """Later samples than `until` do not change the day's episodes."""
    _, parts = days([(SAMPLES - 30, 60, 0.97), (SAMPLES + 60, 100, 0.97)])
    found = kept.of_day(DAY, parts.get, LIMITS)
    tomorrow = parts[next_day(DAY)]
    cut = dict(parts) | {next_day(DAY): tomorrow.of(tomorrow.start, found.until)}
    again = kept.of_day(DAY, cut.get, LIMITS)
    assert again.episodes == found.episodes


def test_parallel_disks_are_held_against_the_days_before():
    """A day on which they waited all the time is no normal one."""
    three = [next_day(DAY, n) for n in range(3)]
    slow = [
        facts(np.full(SAMPLES, busy), start_of(day), rotational=False)
        for day, busy in zip(three, (0.1, 0.1, 0.9), strict=True)
    ]
    parts = dict(zip(three, slow, strict=True))
    assert kept.normal_of(next_day(DAY, 2), parts.get) == levels(joined(slow[:2]))
    assert begun(parts)[0] == (start_of(next_day(DAY, 2)), start_of(next_day(DAY, 3)))


def test_what_was_noted_is_not_what_parallel_disks_are_held_against(tmp_path):
    """Nor a whole day of it; where nothing else is known, it is all the same; a damaged file is told."""
    root.prepare(tmp_path / "store")
    tree = Tree(tmp_path / "store", "nas1")
    last = next_day(DAY, 2)
    parts = {
        next_day(DAY, n): facts(np.full(SAMPLES, busy), start_of(next_day(DAY, n)), rotational=False)
        for n, busy in enumerate((0.9, 0.1, 0.3))
    }
    for day, seen in parts.items():
        judged.write_table(tree, "tank", "facts", day, facts_of.table(seen), facts_of.said(seen))

    def normal():
        ledger = kept.Ledger(tree, None)
        found = kept.of_day(last, partial(ledger.facts, "tank"), LIMITS, usual=partial(ledger.usual_facts, "tank"))
        return found.normal, ledger.trouble

    def note(*days):
        span = [datetime.fromtimestamp(start_of(next_day(DAY, n)), UTC) for n in days]
        notes.tell(tree.root, "x", tuple(span), ["nas1"], datetime.now(UTC), pool="tank")

    whole = levels(joined([parts[DAY], parts[next_day(DAY)]]))
    assert normal() == (whole, [])
    note(0, 1)
    assert normal() == (levels(parts[next_day(DAY)]), [])
    assert kept.Ledger(tree, None).usual_facts("tank", DAY) is None
    note(1, 3)
    assert normal() == (whole, [])
    (tree.root / notes.CHRONICLE.file).write_text("x")
    found, trouble = normal()
    assert found == whole
    assert "is damaged" in trouble[0]


#: Eleven minutes of which the disk is busy for two and a half minutes.
STORE = """
start 2026-11-23T23:55:00Z
disks disk=d device=sda ms_io 0+1000x30 40000+10000x14 181000+1000x20
node io_some_us 0+1000000x65
"""


@pytest.fixture
def ledger(tmp_path):
    """The ledger of a store that nobody judged."""
    root.prepare(tmp_path / "store")
    series.write(STORE, tmp_path / "store")
    return kept.Ledger(Tree(tmp_path / "store", "nas1"), Warehouse(tmp_path / "store", "nas1"))


def test_usage_tells_what_nobody_judged(ledger):
    """As provisional, and only once."""
    found = [each for n in (-1, 0, 1) for each in ledger.of("nas1", next_day(date(2026, 11, 23), n))]
    assert [(each["id"], each["state"], each["busy"]) for each in found] == [("nas1-20261124-000000", "provisional", 1)]
    assert found[0]["to"] - found[0]["from"] == 150
    assert found[0]["some"] == 0.1


def test_equal_thresholds_change_nothing(ledger):
    """Others do: what comes, what goes and what is of another length is said so."""
    day = date(2026, 11, 24)
    now = ledger.of("nas1", day)
    assert [each["change"] for each in kept.compared(now, ledger.by("nas1", day, LIMITS))] == ["same"]
    never = LIMITS.other({"busy": 1, "busy_stalled": 1, "enter": 30, "of": 30})
    assert [each["change"] for each in kept.compared(now, ledger.by("nas1", day, never))] == ["goes"]
    always = LIMITS.other({"busy": 0.05, "busy_others": 0.05})
    changed = [one for n in (-1, 0) for one in ledger.by("nas1", next_day(day, n), always)]
    assert [each["change"] for each in kept.compared(now, changed)] == ["other"]
    assert [each["change"] for each in kept.compared([], now)] == ["comes"]


def test_what_was_judged_is_told_again_from_its_file(ledger):
    """By its name, too; a file that is damaged is told and looked for in usage."""
    day = date(2026, 11, 24)
    told = ledger.by("nas1", day, LIMITS)
    file = judged.write_text(
        ledger.tree, "nas1", "episodes", day, {"episodes": [told[0] | {"busy": 0.77}], "normal": [None, None]}
    )
    ledger.look()
    assert [(each["busy"], each["state"]) for each in ledger.of("nas1", day)] == [(0.77, "confirmed")]
    assert kept.by_id(ledger.tree, told[0]["id"])["busy"] == 0.77
    assert kept.by_id(ledger.tree, "nas1-20261124-000010") is None
    assert kept.by_id(ledger.tree, "nothing") is None
    file.path.write_text("{")
    assert [each["state"] for each in ledger.of("nas1", day)] == ["provisional"]
    assert "is damaged" in ledger.trouble[0]


def test_thresholds_of_wrong_values_are_refused():
    for wrong in ({"enter": 2.5}, {"enter": 5}, {"busy": -1}, {"leave": 0}):
        with pytest.raises(ValueError, match="="):
            LIMITS.other(wrong)
    with pytest.raises(KeyError):
        LIMITS.other({"bus": 1})


def test_an_id_has_the_moment_in_utc():
    moment = int(datetime(2026, 11, 23, 7, 5, 9, tzinfo=UTC).timestamp())
    assert naming.name_of("r pool_1", moment) == "r_pool_1-20261123-070509"
