"""The source `speeds`: what links can carry, as sysfs says it."""

import errno

import pytest
from block import Collector, Machine
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect.speeds import PACE_S, Speeds, asked, parse
from nasacct.store.schema import SPEEDS


class Links(Machine):
    """A machine with links, name -> (epoch, speed, operstate); a number is the error of asking for it."""

    def __init__(self, folder):
        super().__init__(folder)
        self.links = {}

    def file(self, path):
        *_, name, what = path.split("/")
        assert path == f"sys/class/net/{name}/{what}"
        text = self.links[name][1 if what == "speed" else 2]
        if not isinstance(text, str):
            raise OSError(text, "refused", path)
        return text.encode()

    def uplinks(self):
        return {name: epoch for name, (epoch, _, _) in self.links.items()}


@pytest.fixture
def machine(tmp_path):
    made = Links(tmp_path)
    made.collector = Collector(made, lambda admit: Speeds(admit, made.uplinks))
    yield made
    made.collector.sampler.end()


def look(machine):
    """What is told a minute later: link -> (Mbit/s, up)."""
    machine.ns += int(PACE_S * 1e9)
    batch = machine.collector.cycle()
    subjects = {s.sid: s for s in batch.listed}
    rows = batch.rows.get(SPEEDS.name)
    found = {} if rows is None else dict(zip(rows.sids.tolist(), rows.values.tolist(), strict=True))
    return {subjects[sid].keys["link"]: tuple(None if v < 0 else v for v in values) for sid, values in found.items()}


def test_what_links_can_carry_is_told_when_it_changes(machine):
    """Of a cable that is taken out it is not known, and not what it was."""
    machine.links = {"eth0": ("boot/if2", "10000\n", "up\n"), "bond0": ("boot/if5", "20000\n", "up\n")}
    assert look(machine) == {"eth0": (10000, 1), "bond0": (20000, 1)}
    assert look(machine) == {}
    machine.links["eth0"] = ("boot/if2", errno.EINVAL, "down\n")
    assert look(machine) == {"eth0": (None, 0)}
    machine.links["eth0"] = ("boot/if2", "1000\n", "up\n")
    assert look(machine) == {"eth0": (1000, 1)}


def test_a_card_of_a_virtual_machine_is_told_without_a_speed(machine):
    """As virtio_net says where nobody has set one."""
    machine.links = {"eth0": ("boot/if2", "-1\n", "up\n")}
    assert look(machine) == {"eth0": (None, 1)}


def test_links_are_asked_once_a_minute_as_soon_as_there_are_any(machine):
    """The first dump of links may end after the first look."""
    source = machine.collector.source
    assert look(machine) == {}
    assert source.pace_s == 0
    machine.links = {"eth0": ("boot/if2", "10000\n", "up\n")}
    look(machine)
    assert source.pace_s == PACE_S


def test_another_life_of_a_link_is_another_subject(machine):
    """And what is gone has ended."""
    machine.links = {"eth0": ("boot/if2", "10000\n", "up\n")}
    look(machine)
    (first,) = machine.collector.frames[-1].batches[0].listed
    machine.links = {"eth0": ("boot/if9", "10000\n", "up\n")}
    assert look(machine) == {"eth0": (10000, 1)}
    batch = machine.collector.frames[-1].batches[0]
    assert batch.ended == [first]
    assert [s.epoch for s in batch.listed] == ["boot/if9"]


def test_nothing_that_can_be_read_is_not_told(machine):
    machine.links = {"eth0": ("boot/if2", errno.EINVAL, errno.ENOENT)}
    assert asked(machine, "eth0") == (None, None)
    assert look(machine) == {}


@pytest.mark.parametrize(
    "text", ["-1\n", "0\n", "65535\n", "4294967295\n", "", "\n", "fast\n", "1 0\n", "1_0\n", "9" * 5000]
)
def test_what_is_no_speed_is_unknown(text):
    """Among it what drivers say when they do not know."""
    assert parse(text.encode()) is None


@given(st.binary(max_size=40) | st.integers(-(2**70), 2**70).map(lambda n: b"%d\n" % n))
def test_no_content_of_the_file_does_harm(text):
    """It is a speed that fits into a reading, or unknown."""
    found = parse(text)
    assert found is None or 0 < found < 10**10
    assert found is None or int(text) == found
