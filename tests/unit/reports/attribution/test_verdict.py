"""What is said of an episode, from shares that are made up."""

from types import SimpleNamespace

import numpy as np
import pytest

from nasacct.reports.attribution import verdict
from nasacct.reports.attribution.hardware import Slow

NAMES = ("one", "two")


def said(*shares, unexplained=0.0, normal=(0.1, 0.1), slow=0.0, local_seen=False, chronic=False, names=NAMES):
    """The verdict where draws of shares (one, two, local) differ by a hundredth."""
    noise = np.random.default_rng(1).normal(0, 0.01, (80, len(shares)))
    draws = np.clip(np.array(shares) + noise, 0, 1)
    fit = SimpleNamespace(draws=draws / draws.sum(axis=1, keepdims=True), unexplained=unexplained, work=1.0, error=0.0)
    costs = SimpleNamespace(normal=np.array(normal), background=np.full(4, 0.01), chronic=chronic)
    disk = Slow("disk1" if slow else None, slow)
    return verdict.given(fit, costs, disk, names, local_seen=local_seen)


@pytest.mark.parametrize(
    ("shares", "others", "expected", "culprits"),
    [
        ((0.8, 0.1, 0.1), {}, "members", ["one"]),
        ((0.45, 0.45, 0.1), {}, "members", ["one", "two"]),
        ((0.1, 0.1, 0.8), {"local_seen": True}, "local", [""]),
        ((0.1, 0.1, 0.8), {"unexplained": 0.7}, "unknown", [""]),
        ((0.5, 0.1, 0.4), {}, "mixed", ["", "one"]),
        ((0.5, 0.4, 0.1), {"slow": 0.8, "normal": (0.5, 0.4)}, "hardware", ["disk1"]),
    ],
)
def test_who_caused_an_episode(shares, others, expected, culprits):
    """By shares of the increase, whatever somebody usually uses."""
    found = said(*shares, **others)
    assert found.verdict == expected
    assert sorted(each.name for each in found.culprits) == culprits


def test_servers_of_one_member_are_one():
    """Together they may have caused what neither did."""
    apart = said(0.18, 0.17, 0.35, 0.3, normal=(0.0, 0.0, 0.0), names=("one", "two", "three"), local_seen=True)
    assert not [each for each in apart.culprits if each.name in {"one", "two"}]
    found = said(0.18, 0.17, 0.35, 0.3, normal=(0.0, 0.0, 0.0), names=("who", "who", "three"), local_seen=True)
    who = next(each for each in found.entities if each.name == "who")
    assert who.culprit
    assert who.share == pytest.approx(sum(each.share for each in apart.entities if each.name in {"one", "two"}))
    assert who.blame == pytest.approx(sum(each.blame for each in apart.entities if each.name in {"one", "two"}))
    assert sorted(each.name for each in found.entities if each.kind == "member") == ["three", "who"]


def test_who_uses_much_as_always_is_no_culprit_but_the_shark():
    """The increase is another's."""
    found = said(0.6, 0.4, 0.0, normal=(0.6, 0.05))
    assert [each.name for each in found.culprits] == ["two"]
    assert found.shark.name == "one"


def test_who_is_just_at_the_limit_is_named_with_little_confidence():
    """A blame of a fifth is as likely more as less."""
    found = said(0.28, 0.72, 0.0, normal=(0.1, 0.0), chronic=False)
    one = next(each for each in found.entities if each.name == "one")
    assert one.blame == pytest.approx(0.2, abs=0.02)
    assert 0.3 < one.confidence < 0.7
    assert one.blame_low < one.blame < one.blame_high


def test_shares_are_those_of_what_a_slow_disk_left():
    """And all together are whole."""
    found = said(0.8, 0.1, 0.1, slow=0.5)
    assert sum(each.share for each in found.entities) == pytest.approx(1)
    assert next(each for each in found.entities if each.name == "one").share == pytest.approx(0.4, abs=0.02)
