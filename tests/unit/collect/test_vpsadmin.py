"""The inventory of vpsAdmin's API, over real HTTP: all of it or nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from haveapi import Vpsadmin, serving
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasacct.collect import vpsadmin
from nasacct.collect.vpsadmin import Api, seen, statements
from nasacct.errors import CONFIG, DATA, UNAVAILABLE, NasacctError
from nasacct.store.inventory import EVER, Inventory, Statement

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
MADE = "2026-10-01T10:00:00Z"


def us(at):
    return int(at.timestamp()) * 1_000_000


def some():
    """A member with two VPSes and an export, another with a VPS, an address of nobody."""
    api = Vpsadmin()
    api.rows["users"] = [{"id": 1001, "login": "first"}, {"id": 1002, "login": "second"}]
    owners = {21: 1001, 22: 1001, 31: 1002}
    api.rows["vpses"] = [
        {
            "id": n,
            "hostname": f"vps{n}",
            "user": {"id": owner, "login": "x"},
            "node": {"id": 7, "domain_name": "node7.prg"},
            "created_at": MADE,
        }
        for n, owner in owners.items()
    ]
    api.rows["network_interfaces"] = [{"id": 100 + n, "vps": {"id": n}, "name": "eth0"} for n in owners]
    api.rows["ip_addresses"] = [
        {"id": n, "addr": f"192.0.2.{n}", "prefix": 32, "network_interface": {"id": 100 + n}} for n in owners
    ]
    api.rows["ip_addresses"] += [
        {"id": 99, "addr": "192.0.2.99", "prefix": 32, "network_interface": None},
        {"id": 121, "addr": "2001:db8:0:21::", "prefix": 64, "network_interface": {"id": 121}},
    ]
    api.rows["nodes"] = [
        {"id": 7, "name": "node7", "domain_name": "node7.prg", "ip_addr": "198.51.100.7"},
        {"id": 8, "name": "node8", "domain_name": None, "ip_addr": None},
    ]
    api.rows["networks"] = [
        {"id": 1, "address": "192.0.2.0", "prefix": 24, "purpose": "vps"},
        {"id": 2, "address": "203.0.113.0", "prefix": 24, "purpose": "export"},
    ]
    api.rows["exports"] = [
        {
            "id": 123,
            "user": {"id": 1001},
            "dataset": {"id": 5, "name": "1001/photos"},
            "snapshot": None,
            "host_ip_address": {"id": 9, "addr": "203.0.113.10"},
            "path": "/export/1001/photos",
            "created_at": MADE,
        },
        {
            "id": 124,
            "user": {"id": 1001},
            "dataset": {"id": 5, "name": "1001/photos"},
            "snapshot": {"id": 77, "created_at": MADE},
            "host_ip_address": None,
            "path": f"/export/1001/photos-{MADE}",
            "created_at": MADE,
        },
    ]
    api.rows["datasets"] = [
        {"id": 5, "name": "1001/photos", "user": {"id": 1001}, "role": "primary", "used": 700, "quota": 0},
        {"id": 4, "name": "1001", "user": {"id": 1001}, "role": "primary", "used": 900, "quota": 256000},
        {"id": 6, "name": "1001", "user": {"id": 1002}, "role": "hypervisor", "used": 9, "quota": 0},
    ]
    return api


@pytest.fixture
def api():
    return some()


@pytest.fixture
def client(api, tmp_path):
    """The API as it is asked, with a page of two rows; pauses are noted."""
    token = tmp_path / "token"
    token.write_text("secret\n")
    token.chmod(0o600)
    paused = []
    with serving(api) as url:
        made = Api(url, token, paused.append, 2)
        made_paused[id(made)] = paused
        yield made


made_paused = {}


def synced(before, client, now=NOW):
    return Inventory([*before.statements, *statements(before, seen(client), now)])


def test_all_pages_are_read(api, client):
    """Everything is there from when it was made on, and addresses are their VPSes'."""
    found = synced(Inventory(), client)
    made = us(datetime.fromisoformat(MADE))
    of_both = {"dataset": "1001/photos", "dataset_id": "5", "member": "1001"}
    assert found.things("export") == {
        "123": [(made, EVER[1], {"server": "123", "address": "203.0.113.10"} | of_both)],
        "124": [(made, EVER[1], {"server": "124", "snapshot": MADE} | of_both)],
    }
    assert found.things("vps")["31"] == [(made, EVER[1], {"name": "vps31", "member": "1002", "node": "node7.prg"})]
    assert {
        name: i[0].properties["vps"] for name, i in found.things("address").items() if "vps" in i[0].properties
    } == {
        "192.0.2.21/32": "21",
        "192.0.2.22/32": "22",
        "192.0.2.31/32": "31",
        "2001:db8:0:21::/64": "21",
    }
    assert found.things("member")["1002"] == [(*EVER, {"name": "second"})]
    assert len([path for path in api.asked if "/ip_addresses" in path]) == 4


def test_datasets_are_those_that_members_have_on_a_nas(api, client):
    """A VPS's disk may be called the same; all come at once, for they are not in the order of their ids."""
    found = synced(Inventory(), client).things("dataset")
    assert found == {
        "4": [(*EVER, {"name": "1001", "member": "1001"})],
        "5": [(*EVER, {"name": "1001/photos", "member": "1001"})],
    }
    assert len([path for path in api.asked if "/datasets" in path]) == 1


def test_addresses_of_hypervisors_and_of_servers_are_nobodys(client):
    """They are known, and by a name; a network that is not exports' says nothing of who is in it."""
    found = synced(Inventory(), client).things("address")
    shared = {name: i[0].properties for name, i in found.items() if "vps" not in i[0].properties}
    assert shared == {"198.51.100.7/32": {"name": "node7.prg"}, "203.0.113.0/24": {"name": "exports"}}


def test_a_vps_that_moves_to_another_node_changes_no_hands(api, client):
    """It is told where it is from now on."""
    once = synced(Inventory(), client)
    later = NOW + timedelta(hours=1)
    api.rows["vpses"][0]["node"] = {"id": 8, "domain_name": None, "name": "node8"}
    twice = synced(once, client, later)
    assert [i.properties["node"] for i in twice.things("vps")["21"]] == ["node7.prg", "node8"]
    assert twice.hands() == once.hands()


def test_nothing_new_tells_nothing(client):
    """However often it is asked."""
    once = synced(Inventory(), client)
    assert synced(once, client, NOW + timedelta(days=1)).statements == once.statements


def test_what_changes_hands_or_ends_is_so_from_now_on(api, client):
    """And what was stays."""
    once = synced(Inventory(), client)
    later = NOW + timedelta(hours=1)
    api.rows["vpses"][0]["user"]["id"] = 1002
    api.rows["exports"].clear()
    twice = synced(once, client, later)
    assert twice.at("vps", "21", us(later) - 1)["member"] == "1001"
    assert twice.at("vps", "21", us(later))["member"] == "1002"
    assert twice.at("export", "123", us(later) - 1) is not None
    assert twice.at("export", "123", us(later)) is None
    assert twice.hands() == once.hands() | {us(later)}


def test_what_was_told_by_hand_stays(api, client):
    """Until somebody tells it otherwise; it is not ended either."""
    by_hand = [Statement("vps", "21", EVER[0], {"member": "7"}, 1), Statement("vps", "77", EVER[0], {"member": "7"}, 1)]
    found = synced(Inventory(by_hand), client)
    assert found.at("vps", "21", us(NOW)) == {"member": "7"}
    assert found.at("vps", "77", us(NOW)) == {"member": "7"}
    assert found.at("vps", "22", us(NOW))["member"] == "1001"


@pytest.mark.parametrize("fault", [(503, b"down"), (429, b""), (200, None)])
def test_what_fails_for_a_moment_is_asked_again(api, client, fault):
    """A busy server, and a connection that breaks."""
    api.faults = [(503, b"busy"), fault] if fault[1] is not None else [(502, b"")]
    assert len(synced(Inventory(), client).things("vps")) == 3
    assert made_paused[id(client)]


@pytest.mark.parametrize(
    ("faults", "status", "why"),
    [
        ([(503, b"")] * 3, UNAVAILABLE, r"/users cannot be asked \(HTTP 503\); try again later"),
        ([(401, b"")], CONFIG, "refuses to answer .HTTP 401.; is the token in .*token right"),
        ([(404, b"")], DATA, "cannot be asked .HTTP 404.; is vpsadmin.url right"),
        ([(200, b"<html>")], DATA, "answers what is no answer of HaveAPI"),
        ([(200, {"status": True, "response": []})], DATA, "answers what is no answer of HaveAPI"),
        (
            [(200, {"status": False, "message": "object not found"})],
            DATA,
            "refuses: object not found; nothing was told",
        ),
        ([(200, {"status": True, "response": {"vps": []}})], DATA, "answers without a list of users"),
        ([(200, {"status": True, "response": {"users": [{"id": 0}]}})], DATA, "answers with id 0 after 0"),
    ],
)
def test_what_cannot_be_had_gets_a_sentence_and_nothing_is_told(api, client, faults, status, why):
    """The token is in none."""
    api.faults = list(faults)
    with pytest.raises(NasacctError, match=why) as caught:
        seen(client)
    assert caught.value.status == status
    assert "secret" not in caught.value.sentence + repr(client)


def test_the_token_is_given_to_nobody_else(api, client):
    """A redirection is no answer."""
    heard = Vpsadmin()
    with serving(heard) as elsewhere:
        api.faults = [(302, f"{elsewhere}/users")]
        with pytest.raises(NasacctError, match=r"cannot be asked .HTTP 302."):
            seen(client)
    assert heard.asked == []


def test_half_an_answer_is_none(api, client):
    """The last page fails: what came before is not told."""
    once = synced(Inventory(), client)
    api.rows["exports"].append({"id": 125, "user": "nobody"})
    with pytest.raises(NasacctError, match="answers with a row that is none"):
        synced(once, client)


def test_there_must_be_somebody_to_ask(tmp_path):
    """At an address, with a token that can be read."""
    with pytest.raises(NasacctError, match="is no address of an API"):
        Api("file:///etc/passwd")
    with pytest.raises(NasacctError, match="reading the token"):
        Api("http://127.0.0.1:1", tmp_path / "none")
    with pytest.raises(NasacctError, match="the token would be heard"):
        Api("http://192.0.2.1", tmp_path / "none")
    (tmp_path / "open").write_text("secret")
    (tmp_path / "open").chmod(0o644)
    with pytest.raises(NasacctError, match="everybody may read the token"):
        Api("https://192.0.2.1", tmp_path / "open")
    with pytest.raises(NasacctError, match=r"cannot be asked .*refused"):
        seen(Api("http://127.0.0.1:1", pause=lambda _: None))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "vps", "user", "addr"]), inner),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(rows=st.dictionaries(st.sampled_from(sorted(some().rows)), st.lists(JSON, max_size=3)))
def test_whatever_its_rows_are_they_are_told_or_get_a_sentence(client, rows, monkeypatch):
    """Of any shape."""
    answers = some()
    answers.rows |= rows

    def every(_, resource, name):
        yield from answers.rows[resource]

    with monkeypatch.context() as patch:
        patch.setattr(vpsadmin.Api, "every", every)
        patch.setattr(vpsadmin.Api, "at_once", lambda *asked, **_: every(*asked))
        try:
            found = seen(client)
        except NasacctError:
            found = {}
    for statement in statements(Inventory(), found, NOW):
        statement.check()
        assert Statement.decode(statement.encode()) == statement


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(body=st.one_of(JSON, st.binary(max_size=20), st.fixed_dictionaries({"status": st.just(True), "response": JSON})))
def test_whatever_it_answers_gets_a_sentence(api, client, body):
    """A body of any shape."""
    api.faults = [(200, body)]
    with pytest.raises(NasacctError):
        seen(client)
