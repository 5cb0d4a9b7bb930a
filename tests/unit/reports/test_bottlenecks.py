"""What members waited for that is no disk: in a dossier, in the list of episodes, and in a day that is judged."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from waits import END, FIRST, START, store

from nasacct.reports import dossier_text, dossiers, judging, minutes
from nasacct.reports.attribution.thresholds import Thresholds
from nasacct.reports.episode_list import beside, ledgers
from nasacct.reports.episodes import Ledger
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

SPAN = int(START.timestamp()), int(START.timestamp()) + 3600


def told(where, first=FIRST, end=END):
    begin, end = (START + timedelta(seconds=10 * at) for at in (first, end))
    found = dossiers.dossier(minutes.chosen(where, None), begin, end)
    return found, dossier_text.text(found, ZoneInfo("Europe/Prague"))


def test_threads_that_were_all_busy_are_what_members_waited_for(tmp_path):
    """While a disk that did nothing at all has no rows; nobody is guilty."""
    found, text = told(store(tmp_path, threads=0.95))
    assert [(each.kind, each.name, each.share) for each in found.bottlenecks] == [("threads", "a", 1.0)]
    assert (found.culprits, found.verdict, found.samples) == ((), "unknown", END - FIRST)
    assert "What made members wait was threads of server a, not the disks: no member is guilty" in text
    assert "all threads of server a were busy 100 % of the time while the disks were idle" in text
    assert "eth0 carried at most 10 % of 1.00 Gbit/s" in text
    assert "too few threads" not in text
    assert any("more threads for server a" in each.text for each in found.hints)


def test_a_link_that_was_full_is_what_members_waited_for(tmp_path):
    """With what it carried, which way, and for how long."""
    found, text = told(store(tmp_path, link=0.95), FIRST - 30)
    (one,) = found.bottlenecks
    assert (one.kind, one.name, one.way, one.speed_bits_s) == ("link", "eth0", "sent", 1_000_000_000)
    assert one.share == pytest.approx(0.5)
    assert one.carried_bits_s == pytest.approx(950e6, rel=0.01)
    assert found.culprits == ()
    assert "link eth0 carried 950 Mbit/s of 1.00 Gbit/s out of it, 50 % of the time" in " ".join(text.split())
    assert "too few threads: all of server a's were busy" in text
    assert not any(each.what == "the network" for each in found.ruled_out)
    assert found.as_json()["bottlenecks"][0]["carried_bits_s"] == one.carried_bits_s


def test_of_a_link_whose_speed_nobody_knows_nothing_is_said(tmp_path):
    """But what went over servers' links."""
    found, text = told(store(tmp_path, link=0.95, speed=""))
    assert found.bottlenecks == ()
    assert "the network: all servers' links together carried" in text


def test_threads_that_wait_for_disks_are_no_cause_of_their_own(tmp_path):
    """They are a hint, as before."""
    found, _ = told(store(tmp_path, threads=0.95, disk_ms=(9900, 100)))
    assert found.bottlenecks == ()
    assert any("all threads of server a were busy" in each.text for each in found.hints)


def test_disks_of_which_nothing_is_read_while_calls_are_sampled_stood_still(tmp_path):
    """Also where nobody reads the node itself."""
    where = store(tmp_path, threads=0.95, node=False)
    rows = beside(ledgers(where, None, Thresholds(), None, SPAN), SPAN, None)
    assert [(row["kind"], row["duration_s"]) for row in rows] == [("threads", 10 * (END - FIRST))]


def test_a_day_that_is_judged_holds_what_it_held_before(tmp_path):
    """The same from usage and from what is kept, where it touches the time."""
    where = store(tmp_path, threads=0.95, link=0.95)
    limits = Thresholds()
    expected = [(START + timedelta(seconds=10 * FIRST)).timestamp(), (START + timedelta(seconds=10 * END)).timestamp()]
    known = ledgers(where, None, limits, None, SPAN)
    rows = beside(known, SPAN, None)
    assert [(row["kind"], row["name"], row["state"]) for row in rows] == [
        ("link", "eth0", "provisional"),
        ("threads", "a", "provisional"),
    ]
    assert all([row["from"], row["to"]] == expected for row in rows)
    assert rows[0]["what"] == "link eth0 carried 950 Mbit/s of 1.00 Gbit/s"
    assert beside(known, (SPAN[0], int(expected[0])), None) == []
    ledger = Ledger(Tree(where, "nas1"), Warehouse(where, "nas1"), limits)
    assert judging.judge(ledger, ledger.pools()[0], date(2026, 11, 23), expected[1] + 10 * 86400)
    again = beside(ledgers(where, None, limits, None, SPAN), SPAN, None)
    assert again == [row | {"state": "confirmed"} for row in rows]
