"""Why the disks did not keep up: dossiers of a real disk's minutes, of which is known who did what."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import series

from nasacct.errors import NO_INPUT, UNAVAILABLE, USAGE, NasacctError
from nasacct.reports import dossier_text, dossiers, judging, minutes, why
from nasacct.reports.episodes import Ledger
from nasacct.store import inventory, notes
from nasacct.store.inventory import EVER, Statement
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

BEGAN = datetime(2026, 11, 23, 13, 23, 3, tzinfo=UTC)
PRAGUE = ZoneInfo("Europe/Prague")
#: From when to when each saturated the disk, in seconds of the recording (GROUND_TRUTH.md), and how.
TRUTH = {
    "102": (60, 172, "random_read", "random reads"),
    "103": (380, 494, "sync_write", "an fsync storm"),
    "105": (525, 616, "metadata", "a metadata storm"),
}


@pytest.fixture(scope="module")
def store(replayed_demo):
    """Eleven minutes of six real NFS servers on one throttled disk."""
    return replayed_demo


def told(store, begin_s, end_s, **more):
    warehouse = minutes.chosen(store, None)
    return dossiers.dossier(warehouse, BEGAN + timedelta(seconds=begin_s), BEGAN + timedelta(seconds=end_s), **more)


@pytest.mark.parametrize("guilty", TRUTH)
def test_who_saturated_the_disk_is_named_with_how_and_since_when(store, guilty):
    """And nobody else; shares are whole, and the text says it in its first sentence."""
    begin, end, how, words = TRUTH[guilty]
    found = told(store, begin, end)
    (culprit,) = found.culprits
    assert (culprit.entity, culprit.how, found.verdict) == (f"server:{guilty}", how, "members")
    assert abs((culprit.since - BEGAN).total_seconds() - begin) <= 20
    assert culprit.share > 0.6
    assert culprit.share_lo <= culprit.share <= culprit.share_hi
    assert 0.97 < sum(each.share for each in found.entities) <= 1.001
    text = dossier_text.text(found, PRAGUE)
    accusation = text.split("\n\n")[1]
    assert accusation.startswith(f"Server {guilty} probably caused this")
    assert f"  {words} since 2026-11-23 14:" in accusation
    assert max(len(line) for line in text.split("To check it")[0].splitlines() if "tc qdisc" not in line) <= 100


@pytest.mark.parametrize("seconds", [60, 120])
@pytest.mark.parametrize("guilty", TRUTH)
def test_a_window_of_a_minute_or_two_is_enough(store, guilty, seconds):
    """With the minutes of history that there are."""
    begin = TRUTH[guilty][0] + 20
    found = told(store, begin, min(begin + seconds, TRUTH[guilty][1]))
    assert [each.entity for each in found.culprits] == [f"server:{guilty}"]


def test_where_disks_kept_up_nobody_is_at_fault(store):
    """Who used them is told all the same."""
    found = told(store, 270, 330)
    assert (found.culprits, found.verdict, found.saturated) == ((), "unknown", 0)
    assert found.entities[0].share > 0.2
    text = dossier_text.text(found, PRAGUE)
    assert "Nobody is at fault." in text
    assert "caused this" not in text


def test_the_same_store_gives_the_same_text(store):
    """To the letter."""
    texts = {dossier_text.text(told(store, 60, 172), PRAGUE) for _ in range(2)}
    assert len(texts) == 1


def test_programs_get_the_same_numbers(store):
    """Moments in UTC, and every entity with the fields that are documented."""
    found = told(store, 380, 494).as_json()
    assert (found["from"], found["to"]) == ("2026-11-23T13:29:20Z", "2026-11-23T13:31:20Z")
    assert {"pool", "verdict", "confidence", "entities", "victims", "ruled_out", "without", "checks"} <= set(found)
    fields = "entity share share_lo share_hi blame confidence culprit how clients"
    assert all(set(fields.split()) <= set(each) for each in found["entities"])


def test_a_member_is_one_over_servers_and_is_called_by_name(store, tmp_path):
    """The member of the export at that time; two of his servers are his together."""
    mine = shutil.copytree(store, tmp_path / "store")
    said = [Statement("export", s, EVER[0], {"server": s, "member": m}, 1) for s, m in (("101", "7"), ("102", "7"))]
    inventory.tell(mine, [*said, Statement("member", "7", EVER[0], {"name": "a\x1b[2J\nb"}, 1)])
    found = told(mine, 60, 172)
    (culprit,) = found.culprits
    assert (culprit.entity, culprit.name) == ("member:7", "a\x1b[2J\nb")
    assert [each.server for each in culprit.servers] == ["102", "101"]
    assert sum(each.share for each in culprit.servers) == pytest.approx(culprit.share, abs=0.01)
    text = dossier_text.text(found, PRAGUE)
    assert r"Member 7 (a\x1b[2J\nb) probably caused this" in text
    assert "\x1b" not in text


def test_what_was_noted_is_quoted_and_nothing_normal(store, tmp_path):
    """A disk that is replaced is no usual load."""
    mine = shutil.copytree(store, tmp_path / "store")
    noted = [(at, at + timedelta(seconds=60)) for at in (BEGAN + timedelta(seconds=s) for s in (90, 200))]
    for text, span in zip(("replaced sdc", "elsewhere"), noted, strict=True):
        notes.tell(mine, text, span, ["nas"], datetime(2026, 11, 24, tzinfo=UTC))
    found = told(mine, 60, 172)
    assert [each.text for each in found.notes] == ["replaced sdc"]
    assert "2026-11-23 14:24:33 +01:00 to 2026-11-23 14:25:33 +01:00: replaced sdc" in dossier_text.text(found, PRAGUE)
    assert found.learned_s < told(store, 60, 172).learned_s


def test_the_model_that_is_kept_of_the_week_says_what_is_normal(store, tmp_path):
    """As of a day that was judged; a damaged one is told and something is said all the same."""
    mine = shutil.copytree(store, tmp_path / "store")
    later = datetime(2026, 11, 27, tzinfo=UTC).timestamp()
    assert judging.judge(Ledger(Tree(mine, "nas"), Warehouse(mine, "nas")), "nas", BEGAN.date(), later)
    found = why.judged(minutes.chosen(mine, None), BEGAN + timedelta(seconds=60), BEGAN + timedelta(seconds=172))
    assert found.kept
    assert found.learned_s > 0
    assert [each.name for each in found.judged.verdict.culprits] == ["server:102"]
    for file in (mine / "node=nas" / "judged" / "nas").glob("model-*"):
        file.write_bytes(file.read_bytes()[:-9])
    again = why.judged(minutes.chosen(mine, None), BEGAN + timedelta(seconds=60), BEGAN + timedelta(seconds=172))
    assert not again.kept
    assert [each.name for each in again.judged.verdict.culprits] == ["server:102"]


def test_a_moment_is_the_episode_around_it(store):
    """The nearest one; else the minutes around it."""
    warehouse = minutes.chosen(store, None)
    begin, end = minutes.around(warehouse, BEGAN + timedelta(seconds=100))
    assert abs((begin - BEGAN).total_seconds() - 60) <= 20
    assert abs((end - BEGAN).total_seconds() - 172) <= 20
    assert minutes.around(warehouse, BEGAN + timedelta(hours=9)) == (
        BEGAN + timedelta(hours=9) - minutes.AROUND,
        BEGAN + timedelta(hours=9) + minutes.AROUND,
    )


def test_clients_share_what_their_server_had(tmp_path):
    """By the time that their calls waited, where that is sampled, else by bytes."""
    cycles, first, end = 90, 50, 80
    busy, calls, waits = [0], [0], {"7": [0], "8": [0]}
    for cycle in range(cycles):
        inside = first <= cycle < end
        busy.append(busy[-1] + (9900 if inside else 1000))
        calls.append(calls[-1] + (2000 if inside else 10))
        waits["7"].append(waits["7"][-1] + (30_000_000 if inside else 0))
        waits["8"].append(waits["8"][-1] + (10_000_000 if inside else 0))
    reads = [count // 1 for count in calls]
    lines = {
        "disks disk=d device=sda ms_io": busy,
        "disks disk=d device=sda reads": reads,
        "disks disk=d device=sda sectors_read": [8 * count for count in reads],
        "disks disk=d device=sda ms_weighted": [4 * each for each in busy],
        "nfsd server=a read_bytes": [4096 * count for count in calls],
        "nfsd server=a rc_nocache": calls,
        "ops server=a read": calls,
        "clients server=a client=7 received_bytes": calls,
        "clients server=a client=7 sent_bytes": calls,
        **{f"inflight server=a client={who} operation=read in_flight_us": values for who, values in waits.items()},
        "inflight server=a client= operation= passed_us": [10_000_000 * at for at in range(cycles + 1)],
        "inflight server=a client= operation= sampled_us": [10_000_000 * at for at in range(cycles + 1)],
        "inflight server=a client= operation= full_us": [max(at - first, 0) * 5_000_000 for at in range(cycles + 1)],
    }
    series.write("\n".join(f"{name} {' '.join(map(str, values))}" for name, values in lines.items()), tmp_path)
    start = datetime(2026, 11, 23, 10, tzinfo=UTC)
    begin, end = (start + timedelta(seconds=10 * at) for at in (first, end))
    found = dossiers.dossier(minutes.chosen(tmp_path, None), begin, end)
    (culprit,) = found.culprits
    assert (culprit.entity, culprit.how) == ("server:a", "random_read")
    assert [(each.address, each.by) for each in culprit.clients] == [("7", "in_flight"), ("8", "in_flight")]
    assert [each.share for each in culprit.clients] == pytest.approx([0.75, 0.25])
    assert any("all threads of server a were busy 50 % of the time" in each.text for each in found.hints)
    without = next(each for each in found.without if each.entity == "server:a")
    assert without.busy < 0.4
    assert without.busy_lo <= without.busy <= without.busy_hi
    assert re.search(r"without server a the disks would have been busy \d", dossier_text.text(found, PRAGUE))


@pytest.mark.parametrize(
    ("text", "asked", "status", "sentence"),
    [
        ("nfsd server=a read_bytes 0+1x9", {}, UNAVAILABLE, "enable the source `disks`"),
        ("disks disk=d device=sda ms_io 0+1x9", {"begin_s": 9e5, "end_s": 9e5 + 60}, UNAVAILABLE, "nothing was read"),
        ("disks disk=d device=sda ms_io 0+1x9", {"pool": "none"}, NO_INPUT, "has no pool none; it has: nas1"),
        ("disks disk=d device=sda ms_io 0+1x9\nnode b\ndisks disk=d device=sda ms_io 0+1x9", {}, USAGE, "with --node"),
        ("disks disk=d device=sda ms_io 0 9 . . . . . . . 99", {"begin_s": 0, "end_s": 90}, UNAVAILABLE, "samples"),
    ],
)
def test_what_cannot_be_said_is_said_so(tmp_path, text, asked, status, sentence):
    """In a sentence, with what can be done."""
    series.write(text, tmp_path)
    start = datetime(2026, 11, 23, 10, tzinfo=UTC)
    asked = {"begin_s": 0, "end_s": 60, "pool": None} | asked
    with pytest.raises(NasacctError, match=re.escape(sentence)) as refused:
        dossiers.dossier(
            minutes.chosen(tmp_path, None),
            start + timedelta(seconds=asked["begin_s"]),
            start + timedelta(seconds=asked["end_s"]),
            asked["pool"],
        )
    assert refused.value.status == status
