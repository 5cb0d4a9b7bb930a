"""What `zpool status` tells, as JSON and as text for people."""

from pathlib import Path

import pytest

from nasacct.collect import zpool_status, zpool_text
from nasacct.collect.lines import ParseError
from nasacct.collect.zpool_text import Part, Scan

REAL = Path(__file__).parents[2] / "fixtures" / "zpool"


def of(name):
    return {pool.name: pool for pool in zpool_status.parse((REAL / name).read_bytes())}


@pytest.mark.parametrize("name", ["none", "scrub1", "paused", "done", "resilver0", "spare"])
def test_text_for_people_says_the_same(name):
    """Disks, roles and states to the word; of a scan that is under way its start, and sizes to three digits."""
    told, read = of(f"{name}.json"), of(f"{name}.txt")
    assert set(told) == set(read) == {"tank", "rz"}
    for pool, text in zip(told.values(), read.values(), strict=True):
        assert (pool.name, pool.state, pool.parts) == (text.name, text.state, text.parts)
        if pool.scan is None or pool.scan.state != "scanning":
            assert text.scan is None
        else:
            kept = [(s.function, s.state, s.started_s, s.paused) for s in (pool.scan, text.scan)]
            assert kept[0] == kept[1]
            # the text was asked for a moment later, and disks read 16 MB a second
            assert pool.scan.issued_bytes * 0.995 < text.scan.issued_bytes < pool.scan.issued_bytes + 8_000_000
            assert text.scan.to_examine_bytes == pytest.approx(pool.scan.to_examine_bytes, rel=0.005)


def test_a_scrub_is_told_from_its_beginning_to_its_end():
    """It is known by when it began; paused it is the same, and when it is over it is still told of."""
    assert of("none.json")["tank"].scan is None
    scans = [of(f"{name}.json")["tank"].scan for name in ("scrub1", "paused", "done")]
    assert [scan.started_s for scan in scans] == [1795818723] * 3
    assert [scan.issued_bytes for scan in scans] == [59668992, 89684480, 89684480]
    assert [(scan.state, scan.paused) for scan in scans] == [
        ("scanning", False),
        ("scanning", True),
        ("finished", False),
    ]
    assert scans[0] == Scan("scrub", "scanning", 1795818723, 59668992, 89770496, paused=False)


def test_a_mirror_is_read_as_often_as_it_has_disks():
    """As its disks were seen to be: issued were 89.7 MB, each of the two read 90.4; a raidz read what was issued."""
    found = of("done.json")
    assert (found["tank"].copies_hundredths, found["rz"].copies_hundredths) == (199, 100)
    assert found["tank"].scan.issued_bytes * 1.99 == pytest.approx(90357760 * 2, rel=0.02)
    assert found["rz"].scan.issued_bytes == pytest.approx(64187392 + 64180736, rel=0.02)


def test_a_spare_that_is_used_is_where_it_is_used():
    """It holds data then; one that waits is a spare, and both disks of a replacement are of the pool."""
    assert [p for p in of("done.json")["tank"].parts if p.path == "/dev/vdn1"] == [Part("/dev/vdn1", "spare", "AVAIL")]
    assert [p for p in of("spare.json")["tank"].parts if p.path == "/dev/vdn1"] == [Part("/dev/vdn1", "data", "ONLINE")]
    replaced = [part.path for part in of("resilver0.json")["rz"].parts]
    assert replaced == ["/dev/vdh1", "/dev/vdi1", "/dev/vdj1"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "line 1: the file is empty; read it again"),
        ("no pools available\n", "line 1: there is no pool in it; `zpool status` prints one"),
        ('{"pools": {}', "line 1: it is no JSON: Expecting ',' delimiter"),
        ("{" + '"a":{' * 100_000, "line 1: it is no JSON that zpool prints"),
        ('{"pools": []}', "line 1: '[]' stands where an object must"),
        ('{"pools": {"a": 1}}', "line 1: '1' stands where an object must"),
        ('{"pools": {"a": {"vdevs": {"a": "b"}}}}', "line 1: 'b' stands where an object must"),
        (
            '{"pools": {"a": {"scan_stats": {"function": "SCRUB", "state": "SCANNING", "issued": "1.5G"}}}}',
            "line 1: issued is '1.5G', and no counter",
        ),
    ],
)
def test_what_is_none_is_refused_with_a_sentence(text, sentence):
    """Cut, of another program, or in units for people."""
    with pytest.raises(ParseError) as told:
        zpool_status.parse(text)
    assert str(told.value) == sentence


def test_a_scan_of_which_the_text_says_less_is_known_so_far():
    """A start that is no time, a size that is none, a pause without a start."""
    text = "  pool: a\n  scan: scrub in progress since whenever\n\t12 issued, 1.2.3T total\n"
    assert zpool_text.parse(text)[0].scan == Scan("scrub", "scanning", None, 12, None, paused=False)
    text = "  pool: a\n  scan: scrub paused since Sun Jul 25 16:07:49 2027\n"
    assert zpool_text.parse(text)[0].scan == Scan("scrub", "scanning", None, None, None, paused=True)
