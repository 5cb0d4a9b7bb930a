"""How counter files of many kernels are understood, and which are refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect.parse import KINDS, ParseError, understand
from nasacct.store.nfs_names import PROC2, PROC3, PROC4
from nasacct.store.schema import DISKS, OPS

FILES = sorted((Path(__file__).parents[2] / "fixtures/proc").rglob("*.txt"))
NUMBERS = st.integers(0, 2**63 - 2)


def text_of(kind, folder="6.12.117-srv1"):
    return next(f for f in FILES if f.stem == kind and f.parent.name == folder).read_bytes()


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}/{f.stem}")
def test_a_file_of_each_known_kernel_is_understood(file):
    """Every shape a kernel prints, or may print one day, gives the names and numbers written down for it."""
    assert understand(file.stem, file.read_bytes()) == json.loads(file.with_suffix(".json").read_text())


def test_there_is_a_fixture_of_every_kind():
    """No kind goes untested."""
    assert {f.stem for f in FILES} == KINDS


BROKEN = {
    "nfsd": [
        (b"", 1, "empty"),
        (b"\n\n", 1, "no line begins"),
        (b"hello world\n", 1, "no line begins"),
        (b"rc 1 2 3\nio 98172928 933", 2, "newline"),
        (b"rc 1 2 3\nio 98172928\n", 2, "needs 2"),
        (b"rc 1 2 3\nio 98172928 abc\n", 2, "'abc' is not a number"),
        (b"rc 1 2 3\nio -5 6\n", 2, "'-5' is not a number"),
        (b"rc 1 2 3\nio 5 6 seven\n", 2, "'seven' is not a number"),
        (b"rc 1 2 3\nio 5 1_000\n", 2, "'1_000' is not a number"),
        ("rc 1 2 3\nio 5 \u0663\n".encode(), 2, "is not a number"),
        (b"rc 1 2 3\nio 5 1.5\n", 2, "'1.5' is not a number"),
        (b"th 8 0 0.0x0\n", 1, "is not a number"),
        (b"io 1 2\nrc 1 2 9223372036854775807\n", 2, "larger than any counter"),
        (b"io 1 2\nrc 1 2 3\nio 1 2\n", 3, "a second io"),
        (b"rc 1 2 3\nproc3 22 0 0 0\n", 2, "announces 22 numbers and has 3"),
        (b"rc 1 2 3\nproc4 2 1 2 3\n", 2, "announces 2 numbers and has 3"),
        (b"rc 1 2 3\nproc4ops\n", 2, "no count"),
        (b"rc 1 2 3\nio\n", 2, "needs 2"),
        (b"rc 1 2 3\r\n", 1, "control character"),
        (b"rc 1 2 3\nio \x00\x01\n", 2, "control character"),
        (b"rc 1 2 3\n\xff\xfe\n", 2, "not text"),
        (b"net 0 0 0 0\nrpc 5 0 5\n", 2, "needs 5"),
    ],
    "diskstats": [
        (b"", 1, "empty"),
        (b"\n", 1, "no device"),
        (b"8 0\n", 1, "no major number"),
        (b"8 0 sda 1 2 3 4 5 6 7 8 9 10\n", 1, "10 numbers"),
        (b"8 0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13\n", 1, "13 numbers"),
        (b"8 0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", 1, "16 numbers"),
        (b"8 0 sda 1 2 3 4\n8 1 sda1 1 2 3\n", 2, "3 numbers"),
        (b"8 0 sda 1 2 3 x\n", 1, "'x' is not a number"),
        (b"eight 0 sda 1 2 3 4\n", 1, "'eight' is not a number"),
        (b"3 0 39070080 hda 1 2 3 4 5 6 7 8 9 10 11\n", 1, "where a device's name must"),
        (b"8 0 sda 1 2 3 4\n8 0 sda 1 2 3 4\n", 2, "earlier line"),
        (b"8 0 sda 1 2 3 4", 1, "newline"),
    ],
    "net_dev": [
        (b"", 1, "empty"),
        (b"eth0: 1 2 3\n", 1, "name the columns"),
        (text_of("net_dev").replace(b"bytes", b"octets"), 2, "columns"),
        (text_of("net_dev") + b"eth1: 1 2 3\n", 5, "3 numbers under 16 columns"),
        (text_of("net_dev") + b"eth1 1 2 3\n", 5, "colon"),
        (text_of("net_dev").replace(b"lo:", b"eth0:"), 4, "earlier line"),
        (text_of("net_dev")[:-1], 4, "newline"),
    ],
    "export_stats": [
        (b"", 1, "empty"),
        (b"rc 0 0 0\n", 1, "no export_stats"),
        (b"# Version 1.1\n/a b 5\n", 2, "parted by tabs"),
        (b"# Version 1.1\n/a\tb\tfive\n", 2, "'five' is not a number"),
        (b"# Version 1.1\n/a\tb\t5\n\tfh_stale: 1\n\tio_read: 2\n", 2, "no io_write"),
        (b"# Version 1.1\n/a\tb\t5\n/c\td\t6\n", 2, "no fh_stale"),
        (b"# Version 1.1\n/a\tb\t5\n\tfh_stale: 1\n\tfh_stale: 1\n", 4, "second fh_stale"),
        (b"# Version 1.1\n/a\tb\t5\n\tfh_stale: one\n", 3, "'one' is not a number"),
        (b"# Version 1.1\n/a\tb\t5\n\tfh_stale\n", 3, "name: number"),
        (b"# Version 1.1\n\tio_read: 5\n", 2, "parted by tabs"),
    ],
    "psi": [
        (b"", 1, "empty"),
        (b"io 1 2\n", 1, "some or full"),
        (b"some avg10=0.00 avg60=0.00 avg300=0.00 tot\n", 1, "name=value"),
        (b"some avg10=0.00 avg60=0.00 avg300=0.00\n", 1, "no total"),
        (b"some avg10=0.00 avg60=0.00 avg300=0.00 total=x\n", 1, "'x' is not a number"),
        (b"some avg10=1e5 avg60=0.00 avg300=0.00 total=1\n", 1, "percentage"),
        (b"some total=1 total=2\n", 1, "second total"),
        (b"some total=1\nsome total=2\n", 2, "second some"),
    ],
}


@pytest.mark.parametrize(
    ("kind", "data", "line_no", "words"), [(kind, *case) for kind, cases in BROKEN.items() for case in cases]
)
def test_a_broken_file_is_refused_with_the_line(kind, data, line_no, words):
    """What would need a guess is an error that names its line and says what is wrong."""
    with pytest.raises(ParseError, match=f"^line {line_no}: ") as raised:
        understand(kind, data)
    assert raised.value.line_no == line_no
    assert words in raised.value.sentence


@pytest.mark.parametrize("file", [f for f in FILES if f.stem == "nfsd"], ids=lambda f: f.parent.name)
def test_an_nfsd_file_cut_anywhere_within_a_line_is_refused(file):
    """However much of a line is missing, its numbers are not believed."""
    data = file.read_bytes()
    for size in range(1, len(data)):
        if data[size - 1 : size] != b"\n":
            with pytest.raises(ParseError):
                understand("nfsd", data[:size])


def render(values, unknown=()):
    """An nfsd file that says what `values` says, written as the kernel writes it."""
    fixed = {"rc": 0, "fh": 4, "io": 0, "th": 1, "net": 0, "rpc": 0, "wdeleg_getattr": 0}
    text = []
    for kind, named in values.items():
        if kind in fixed:
            dead = ["0"] * fixed[kind] + (["0.000"] * 10 if kind == "th" else [])
            text.append(" ".join([kind, *map(str, named.values()), *dead]))
        else:
            numbers = [0, 0, 0, *named.values()] if kind == "proc4ops" else list(named.values())
            text.append(" ".join([kind, str(len(numbers)), *map(str, numbers)]))
    return "".join(f"{line}\n" for line in [*text, *unknown]).encode()


def named(*names):
    values = st.lists(NUMBERS, min_size=len(names), max_size=len(names))
    return values.map(lambda numbers: dict(zip(names, numbers, strict=True)))


NFSD_VALUES = st.fixed_dictionaries(
    {"io": named("read_bytes", "written_bytes")},
    optional={
        "rc": named("hits", "misses", "nocache"),
        "fh": named("stale"),
        "th": named("threads"),
        "net": named("packets", "udp", "tcp", "tcp_connections"),
        "rpc": named("calls", "bad_calls", "bad_format", "bad_auth", "bad_client"),
        "proc2": named(*PROC2),
        "proc3": named(*PROC3, "op_22"),
        "proc4": named(*PROC4),
        "proc4ops": named(*(m.name for m in OPS.measures[:-1]), "op_76", "op_77"),
        "wdeleg_getattr": named("recalled"),
    },
)
UNKNOWN_LINES = st.lists(st.from_regex(r"(CB|Client)_[a-z]{1,9}:( [ -~]{0,20}[!-~])?", fullmatch=True), max_size=3)


@given(NFSD_VALUES, UNKNOWN_LINES)
def test_an_nfsd_file_is_understood_as_it_was_written(values, unknown):
    """Whatever lines a kernel prints, and whatever their numbers, all of them come back under their names."""
    assert understand("nfsd", render(values, unknown)) == {**values, "unknown": unknown}


DISK_VALUES = st.one_of(*(st.lists(NUMBERS, min_size=n, max_size=n) for n in (11, 15, 17, 19)))


@given(st.dictionaries(st.from_regex(r"[a-z]{2,4}[0-9]?", fullmatch=True), DISK_VALUES, min_size=1, max_size=5))
def test_diskstats_are_understood_as_they_were_written(disks):
    """Every count of columns a kernel prints keeps its names, and what comes after the last is `unknown`."""
    names = [m.name for m in DISKS.measures]
    text = "".join(f"   8       0 {device} {' '.join(map(str, values))}\n" for device, values in disks.items())
    expected = {
        device: dict(zip(names, values, strict=False)) | ({"unknown": values[17:]} if len(values) > 17 else {})
        for device, values in disks.items()
    }
    assert understand("diskstats", text.encode()) == expected


def refused_at(kind, data):
    """The line for which the data are refused, 0 when they are understood."""
    try:
        json.dumps(understand(kind, data))
    except ParseError as error:
        return error.line_no
    return 0


@given(
    st.sampled_from(sorted(KINDS)),
    st.one_of(
        st.binary(max_size=200),
        st.text(st.sampled_from("rciothnetprawdsfull#/ .:=\t\n0123456789"), max_size=200).map(str.encode),
    ),
)
def test_no_bytes_whatever_raise_anything_but_a_parse_error(kind, data):
    """Garbage is refused in a sentence or understood as something that JSON can show, never a traceback."""
    assert refused_at(kind, data) <= data.count(b"\n") + 1


@given(st.sampled_from(FILES), st.data())
def test_damaged_files_raise_nothing_but_a_parse_error(file, data):
    """A real file with some bytes overwritten or left out is refused or understood, never a traceback."""
    content = bytearray(file.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[at : at + 1] = data.draw(st.binary(max_size=2))
    assert refused_at(file.stem, bytes(content)) <= content.count(b"\n") + 1
