"""Who saturated a real disk, in traces of real NFS servers: every dossier is compared with what was done.

What is asked about is a window that somebody names, a minute or two long, with minutes of history.
"""

import dataclasses
import random
from datetime import UTC, datetime

import numpy as np
import pytest
import traced

from nasacct.collect.replay import replay
from nasacct.config.tables import Config
from nasacct.reports import dossiers, why
from nasacct.reports.scenes import scene
from nasacct.store.warehouse import Warehouse

#: How long the named window is (s), up to the end of the loads.
WINDOWS = {"all of it": None, "a minute": 60}


@pytest.fixture(scope="module")
def warehouses(tmp_path_factory):
    """The warehouse of a trace, unpacked once."""
    made = {}

    def of(name):
        if name not in made:
            (made[name],) = Warehouse(traced.unpacked(name, tmp_path_factory.mktemp(name))).by_node()
        return made[name]

    return of


def asked(warehouse, begin, end):
    """What `nasacct why` knows of a window (Unix time)."""
    return dossiers.dossier(warehouse, datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC))


def accused(dossier):
    """The verdict, and who is accused of what."""
    how = {each.entity: each.how for each in dossier.culprits if each.entity not in {"local", "hardware"}}
    return dossier.verdict, sorted(each.entity for each in dossier.culprits), how


@pytest.mark.parametrize("length", WINDOWS)
@pytest.mark.parametrize("name", traced.names())
def test_who_saturated_the_disk_is_named_and_nobody_else(warehouses, name, length):
    """The verdict is what was done, and so is how: of all of the time, and of its last minute."""
    truth = traced.truth(name)
    begin = truth["from"] if WINDOWS[length] is None else truth["to"] - WINDOWS[length]
    found = asked(warehouses(name), begin, truth["to"])
    assert accused(found) == (truth["verdict"], truth["culprits"], truth["how"])


@pytest.mark.parametrize("name", traced.names())
def test_holes_in_the_sampling_change_nothing(warehouses, monkeypatch, name):
    """Of five samples two are known only together: readings 20 s apart, as of a collector that is starved."""
    monkeypatch.setattr(why, "scene", lambda *which: holed(scene(*which)))
    truth = traced.truth(name)
    found = asked(warehouses(name), truth["from"], truth["to"])
    assert found.samples < 0.7 * found.expected
    assert accused(found)[:2] == (truth["verdict"], truth["culprits"])


def holed(whole):
    """A scene as it were had readings not been taken: in places two samples are one row, which is no evidence."""
    chance, present = random.Random(0), whole.present.copy()
    places = [at + chance.randrange(3) for at in range(0, len(whole) - 5, 5)]
    for at in places:
        present[at : at + 2] = False

    def blurred(record):
        """Each of its arrays over time with means in those places."""
        found = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
        for name, array in found.items():
            if isinstance(array, np.ndarray) and np.issubdtype(array.dtype, np.floating):
                found[name] = array.copy()
                for at in places:
                    found[name][..., at : at + 2] = array[..., at : at + 2].mean(axis=-1, keepdims=True)
        return dataclasses.replace(record, **found)

    parts = {"disks": blurred(whole.disks), "members": blurred(whole.members)}
    return dataclasses.replace(blurred(whole), present=present, **parts)


#: Of a recording with readings up to 13 s apart: from when to when who saturated the disk, in seconds after its start
#: (tests/fixtures/recordings/nfsd612-ext4-reader/GROUND_TRUTH.md).
RECORDED = {"srv1": (30.0, 112.1), "srv2": (125.0, 189.4)}
RECORDING = traced.PLACE.parent / "recordings" / "nfsd612-ext4-reader" / "trace.jsonl.zst"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The warehouse of that recording, which has neither connections nor the inside of nfsd."""
    store = tmp_path_factory.mktemp("recorded") / "store"
    replay(RECORDING, Config(root=store))
    (warehouse,) = Warehouse(store).by_node()
    return warehouse


@pytest.mark.parametrize("guilty", RECORDED)
def test_a_minute_with_half_a_minute_of_history_is_judged(recorded, guilty):
    """With what a recording has, and the machine's own disk among the pool's."""
    began, _ = recorded.extent(("disks",))
    at, until = (began.timestamp() + seconds for seconds in RECORDED[guilty])
    assert accused(asked(recorded, at, until)) == ("members", [f"server:{guilty}"], {f"server:{guilty}": "random_read"})
