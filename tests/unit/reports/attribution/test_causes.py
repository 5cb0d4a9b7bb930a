"""Causes of their own: threads that are all busy while disks are not, links that are full."""

import numpy as np

from nasacct.reports.attribution.causes import Spell, filled, short, spells
from nasacct.reports.attribution.thresholds import Thresholds

LIMITS = Thresholds()
THERE = np.ones(100, bool)


def exhausted(names, full, busy, there, limits):
    return list(spells(names, short(full, busy), np.broadcast_to(there, full.shape), limits))


def test_threads_are_exhausted_when_all_are_busy_and_the_disks_are_not():
    """Of a server each, for two minutes at least; where nobody samples, nobody says so."""
    full = np.zeros((3, 100))
    full[0, 20:50], full[1, 60:66], full[2] = 1.0, 1.0, np.nan
    busy = np.full(100, 0.2)
    assert exhausted(["a", "b", "c"], full, busy, THERE, LIMITS) == [Spell("a", 20, 50)]
    busy[:] = 0.8
    assert exhausted(["a", "b", "c"], full, busy, THERE, LIMITS) == []
    assert exhausted(["a"], full[:1], np.full(100, np.nan), THERE, LIMITS) == []


def test_what_nobody_saw_is_no_cause():
    full, gone = np.ones((1, 100)), THERE.copy()
    gone[:95] = False
    assert exhausted(["a"], full, np.zeros(100), gone, LIMITS) == []


def test_a_link_is_full_when_it_carries_nearly_all_it_can():
    """And of one whose speed nobody knows nothing is said."""
    bits = np.full((3, 100), 1e8)
    bits[0, 10:40] = bits[2, 10:40] = 9.5e8
    bits[1, 10:40] = 8e8
    carry = np.full((3, 100), 1e9)
    carry[2] = np.nan
    there = np.broadcast_to(THERE, bits.shape)
    assert list(spells(["eth0", "eth1", "eth2"], filled(bits, carry), there, LIMITS)) == [Spell("eth0", 10, 40)]
    carry[0, 20:] = 1e10
    assert list(spells(["eth0", "eth1", "eth2"], filled(bits, carry), there, LIMITS)) == []
