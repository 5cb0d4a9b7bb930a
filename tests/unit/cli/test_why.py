"""`nasacct why`, as a person asks it."""

import json
import shlex
import shutil

import pytest

from nasacct.errors import NO_INPUT, UNAVAILABLE, USAGE
from nasacct.store import inventory
from nasacct.store.inventory import EVER, Statement


@pytest.fixture(scope="module")
def store(replayed_demo):
    """Eleven minutes of six real NFS servers on one throttled disk."""
    return replayed_demo


@pytest.mark.parametrize(
    "asked",
    [
        ["2026-11-23 14:25"],
        ["2026-11-23 14:24..2026-11-23 14:26"],
        ["--from", "2026-11-23 14:24", "--to", "2026-11-23 14:26", "--node", "nas"],
    ],
)
def test_minutes_are_named_in_any_way(nasacct, store, asked):
    """A moment, a window, options: in the zone of who asks."""
    done = nasacct("why", *asked, "--root", store, NASACCT_ZONE="Europe/Prague")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n\n")[1].startswith("Server 102 probably caused this")
    assert "\nWho suffered\n" in done.stdout


def test_an_episode_is_named_by_its_id(nasacct, store):
    """As `nasacct episodes` shows it."""
    (listed,) = json.loads(nasacct("episodes", "--since", "2026-11-23", "--root", store, "--json").stdout)
    found = json.loads(nasacct("why", listed["id"], "--root", store, "--json").stdout)
    assert (found["episode"], found["from"], found["to"]) == (listed["id"], listed["from"], listed["to"])
    assert [each["entity"] for each in found["entities"] if each["culprit"]] == ["server:103", "server:105"]


def test_a_member_is_told_their_own(nasacct, store, tmp_path):
    """In their language, and nobody else; who is no member is told nothing."""
    mine = shutil.copytree(store, tmp_path / "store")
    inventory.tell(
        mine, [Statement("export", s, EVER[0], {"server": s, "member": f"m{s}"}, 1) for s in ("101", "102", "105")]
    )
    asked = ["why", "2026-11-23 14:25", "--root", mine, "--for-member"]
    told = nasacct(*asked, "m102", "--lang", "cs", NASACCT_ZONE="Europe/Prague").stdout
    assert "od 14:24 do 14:26" in told
    assert "na váš export 102." in told
    other = nasacct(*asked, "m105", NASACCT_ZONE="Europe/Prague").stdout
    assert "your requests" in other or "your export" in other
    assert not any(server in told + other for server in ("101", "m10", "server"))
    assert "102" not in other
    refused = nasacct(*asked, "m1")
    assert (refused.returncode, refused.stdout) == (NO_INPUT, "")
    assert "knows no member m1" in refused.stderr


def test_the_newest_minutes_are_the_nodes_own(nasacct, store):
    """Not those before now, of which the store may know nothing."""
    found = json.loads(nasacct("why", "--last", "100s", "--root", store, "--json").stdout)
    assert found["to"] == "2026-11-23T13:34:00Z"


def test_commands_to_check_it_are_commands(nasacct, store):
    """Each can be typed as it stands."""
    found = json.loads(nasacct("why", "2026-11-23T13:25Z", "--root", store, "--json").stdout)
    assert len(found["checks"]) == 4
    for command in found["checks"]:
        words = shlex.split(command)
        done = nasacct(*words[1:])
        assert (words[0], done.returncode, done.stderr) == ("nasacct", 0, "")


@pytest.mark.parametrize(
    ("asked", "status", "sentence"),
    [
        (["14:00..13:00"], USAGE, "say when it begins before when it ends"),
        (["..13:00"], USAGE, "say also from when"),
        (["soon"], USAGE, "'soon' is no time I understand"),
        (["14:05", "--last", "5m"], USAGE, "name the time once"),
        (["--last", "1s"], USAGE, "too short"),
        (["2020-01-01"], UNAVAILABLE, "nothing was read of nas then; it was from 2026-11-23 13:23"),
        (["2026-11-23T13:25Z", "--pool", "tank"], NO_INPUT, "nas has no pool tank; it has: nas"),
        (
            ["nas-20261123-132931"],
            NO_INPUT,
            "there is no episode nas-20261123-132931; `nasacct episodes --all` lists them",
        ),
        (["2026-11-23T13:25Z", "--for-member", "9", "--json"], USAGE, "leave --json out"),
        (["--node", "other"], NO_INPUT, "holds no node other; it holds: nas"),
    ],
)
def test_what_is_wrong_is_said_with_the_mend(refused, store, asked, status, sentence):
    """In one sentence."""
    found = refused("why", *asked, "--root", store, NASACCT_ZONE="Europe/Prague")
    assert found[0] == status
    assert sentence in found[1]
