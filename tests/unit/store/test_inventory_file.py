"""An inventory written by hand: what it tells, and a sentence for every entry that tells nothing."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.errors import NasacctError
from nasacct.store.inventory import EVER, Inventory
from nasacct.store.inventory_file import statements

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PRAGUE = ZoneInfo("Europe/Prague")
FILE = """
[[member]]
id = "1001"
name = "first"
[[vps]]
id = "21"
member = "1001"
addresses = ["192.0.2.21", "2001:db8:0:21::/64"]
[[address]]
id = "192.0.2.9"
[[export]]
id = "123"
dataset = "1001/photos"
member = "1001"
since = 2026-10-15 12:00:00
until = 2026-10-25T00:00:00Z
"""


def us(*at):
    return int(datetime(*at, tzinfo=UTC).timestamp()) * 1_000_000


def told(before, text, now=NOW):
    return Inventory([*before.statements, *statements(text, "a.toml", before, now, PRAGUE)])


def test_a_file_is_read_as_it_looks():
    """A time without an offset is one of the configured zone; an export's server is called as it is."""
    found = told(Inventory(), FILE)
    assert found.things("member")["1001"] == [(*EVER, {"name": "first"})]
    assert found.things("vps")["21"] == [(*EVER, {"member": "1001"})]
    assert found.things("address") == {
        "192.0.2.9/32": [(*EVER, {})],
        "192.0.2.21/32": [(*EVER, {"vps": "21"})],
        "2001:db8:0:21::/64": [(*EVER, {"vps": "21"})],
    }
    known = {"server": "123", "dataset": "1001/photos", "member": "1001"}
    assert found.things("export")["123"] == [(us(2026, 10, 15, 10), us(2026, 10, 25), known)]


TABLE = """kind,id,name,dataset,member,vps,since,until
member,1001,first,,,,,
vps,21,,,1001,,,
address,192.0.2.21,,,,21,,
address,192.0.2.9,,,,,,
export,123,,'=1001/photos,1001,,2026-10-15 12:00:00,2026-10-25T00:00:00Z
"""


def test_a_table_says_the_same():
    """What is empty is not said; an apostrophe before a formula is the spreadsheet's."""
    found = told(Inventory(), TABLE)
    assert found.things("member")["1001"] == [(*EVER, {"name": "first"})]
    assert found.things("address") == {"192.0.2.9/32": [(*EVER, {})], "192.0.2.21/32": [(*EVER, {"vps": "21"})]}
    known = {"server": "123", "dataset": "=1001/photos", "member": "1001"}
    assert found.things("export")["123"] == [(us(2026, 10, 15, 10), us(2026, 10, 25), known)]
    assert dict(told(found, TABLE).things("export")) == dict(found.things("export"))


def test_reading_it_again_tells_nothing_new():
    """Later, too."""
    found = told(Inventory(), FILE)
    again = told(found, FILE, datetime(2027, 1, 1, tzinfo=UTC))
    assert [dict(again.things(k)) for k in ("vps", "address", "export")] == [
        dict(found.things(k)) for k in ("vps", "address", "export")
    ]


def test_what_differs_without_a_time_is_so_from_now_on():
    """What was before stays whose it was."""
    found = told(told(Inventory(), FILE), '[[vps]]\nid = "21"\nmember = "1002"')
    now = us(2026, 11, 27, 12)
    assert found.things("vps")["21"] == [(EVER[0], now, {"member": "1001"}), (now, EVER[1], {"member": "1002"})]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x", "a.toml is not valid TOML: "),
        ("kind,id\nvps", "no table that can be read: line 2 has not as many fields"),
        ("kind,id\nvps,1,2", "no table that can be read: line 2 has not as many fields"),
        ("kind,id\nhouse,1", r"there is no \[\[house\]\]"),
        ("kind,id\nvps,", "vps number 1: it has no id"),
        ("kind,id,since\nvps,1,monday", "'monday' is no time; write it as 2026-10-15 12:00:00"),
        ("[[house]]", r"a.toml: there is no \[\[house\]\]; write \[\[member\]\], \[\[vps\]\]"),
        ("vps = 1", r"vps number 1: it is no table; write \[\[vps\]\]"),
        ("[[vps]]", "vps number 1: it has no id"),
        ("[[vps]]\nid = 21", "id = 21 is no text; write it in quotation marks"),
        ('[[vps]]\nid = ""', "id = '' is no text"),
        ('[[member]]\nid = "1"\n[[member]]\nid = "2"\nlogin = "x"', "member number 2: it has no 'login', but id, name"),
        ('[[address]]\nid = "192.0.2.300"', "write an address, or a prefix"),
        ('[[vps]]\nid = "1"\naddresses = "192.0.2.1"', "addresses is no list"),
        ('[[vps]]\nid = "1"\nsince = "monday"', "since = 'monday' is no time; write it as 2026-10-15 12:00:00"),
        ('[[vps]]\nid = "1"\nsince = 2026-10-15\nuntil = 2026-10-15', "it ends before it begins"),
    ],
)
def test_what_is_wrong_is_named(text, why):
    """The entry, what is wrong with it, and the mend."""
    with pytest.raises(NasacctError, match=why):
        statements(text, "a.toml", Inventory(), NOW, PRAGUE)


TABLES = st.builds(lambda at, more: TABLE[:at] + more + TABLE[at:], st.integers(0, len(TABLE)), st.text(max_size=3))


@given(
    text=st.one_of(
        st.text(max_size=80),
        TABLES,
        st.builds(lambda at, more: FILE[:at] + more + FILE[at:], st.integers(0, len(FILE)), st.text(max_size=3)),
    )
)
def test_any_text_tells_something_or_gives_a_sentence(text):
    """Whatever is in the file."""
    try:
        found = statements(text, "a.toml", Inventory(), NOW, PRAGUE)
    except NasacctError as error:
        assert error.sentence.startswith("a.toml")  # noqa: PT017
    else:
        for statement in found:
            statement.check()
            assert type(statement).decode(statement.encode()) == statement
