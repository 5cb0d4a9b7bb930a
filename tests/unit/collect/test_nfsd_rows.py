"""The fast way from nfsd texts to rows gives what the parser gives, or leaves the text to the parser."""

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasacct.collect.lines import ParseError
from nasacct.collect.nfsd_rows import NFSD_FIELDS, THREADS, WIDTH, NfsdRows, own_lines, procs_row, row
from nasacct.collect.nfsd_text import parse
from nasacct.store.frame import ABSENT
from nasacct.store.schema import NFSD, OPS, PROCS

FILES = sorted((Path(__file__).parents[2] / "fixtures/proc").rglob("nfsd.txt"))
TEXTS = [f.read_bytes() for f in FILES]
REAL = next(f for f in FILES if f.parent.name == "6.12.117-srv1").read_bytes()


def slowly(text):
    """The text's row and unknown fields by the parser, None when it is broken."""
    try:
        counters = parse(text)
    except ParseError:
        return None
    return row(counters), counters.unknown_fields


def quickly(reader, texts):
    rows, unknown, broken = reader.read(texts)
    assert all((rows[i] == ABSENT).all() for i in broken)
    return [None if i in broken else (rows[i].tolist(), unknown[i]) for i in range(len(texts))]


def test_every_kernels_text_gives_the_parsers_row():
    """All shapes at once, then once more with their layouts known."""
    reader = NfsdRows()
    expected = [slowly(text) for text in TEXTS]
    assert None not in expected
    assert quickly(reader, TEXTS) == expected
    assert quickly(reader, TEXTS) == expected


def test_the_columns_are_the_schemas():
    """Each measure of the schema holds the number that the kernel prints at its place."""
    found = dict(zip([m.name for m in (*NFSD.measures, *OPS.measures)], row(parse(REAL)), strict=False))
    text = REAL.decode()
    assert f"io {found['read_bytes']} {found['written_bytes']}\n" in text
    assert f"rc {found['rc_hits']} {found['rc_misses']} {found['rc_nocache']}\n" in text
    net = " ".join(str(found[f"net_{name}"]) for name in ("packets", "udp", "tcp", "tcp_connections"))
    assert f"net {net}\n" in text
    rpc = " ".join(str(found[f"rpc_{name}"]) for name in ("calls", "bad_calls", "bad_format", "bad_auth", "bad_client"))
    assert f"rpc {rpc}\n" in text
    numbers = re.search(r"proc4ops 76 (.*)\n", text)[1].split()
    assert [str(found[name]) for name in ("access", "read", "write", "sequence")] == [
        numbers[i] for i in (3, 25, 38, 53)
    ]
    assert row(parse(REAL))[THREADS] == 24
    assert len(NFSD_FIELDS) == NFSD.width
    assert len(row(parse(REAL))) == WIDTH
    assert len(procs_row(parse(REAL))) == PROCS.width - 1


def test_operations_beyond_the_table_are_summed():
    """A kernel with more operations than the schema knows loses none of them, and invents no column."""
    future = next(f for f in FILES if f.parent.name == "future").read_bytes()
    other = OPS.index["op_other"] + NFSD.width
    assert row(parse(future))[other] == 5 + 0 + 7 + 9
    assert quickly(NfsdRows(), [future, future])[1][0][other] == 5 + 0 + 7 + 9
    assert row(parse(REAL))[other] == ABSENT


def test_what_a_kernel_does_not_print_is_absent_and_not_zero():
    """An old kernel without a line or an operation leaves the measure absent."""
    old = next(f for f in FILES if f.parent.name == "2.6.24").read_bytes()
    found = dict(zip([m.name for m in (*NFSD.measures, *OPS.measures)], quickly(NfsdRows(), [old])[0][0], strict=False))
    assert found["wdeleg_getattr"] == ABSENT
    assert found["sequence"] == ABSENT
    assert found["release_lockowner"] >= 0


SKELETON_KEEPING = [
    (b"rc ", b"rc5 "),
    (b"\nio 98172928", b"\nio98172928 "),
    (b"\nio ", b"\n7io "),
    (b" 0.000 ", b" . "),
    (b"proc4ops 76 ", b"proc4ops 75 "),
    (b"proc4ops 76 0 ", b"proc4ops 76  "),
    (b"io 98172928 9338880", b"io  98172928"),
    (b"\nnet ", b"\nnet 9223372036854775807 "),
    (b"wdeleg_getattr 0", b"wdeleg_getattr 9223372036854775807"),
    (b"wdeleg_getattr 0", b"wdeleg_getattr 99999999999999999999999"),
    (b"wdeleg_getattr 0", b"wdeleg_getattr "),
    (b"wdeleg_getattr 0", b"wdeleg_get0attr "),
    (b"\nth 24 0 ", b"\nth 24  0"),
]


@pytest.mark.parametrize(("old", "new"), SKELETON_KEEPING)
def test_a_damaged_text_is_never_read_by_its_neighbours_layout(old, new):
    """A text that looks like the others but for its digits is told from them, and does not spoil them."""
    reader = NfsdRows()
    damaged = REAL.replace(old, new, 1)
    assert damaged != REAL
    texts = [REAL, damaged, REAL.replace(b"io 98172928", b"io 98172929")]
    assert quickly(reader, [REAL]) == [slowly(REAL)]
    assert quickly(reader, texts) == [slowly(text) for text in texts]


@st.composite
def damaged(draw):
    """A text with some numbers changed, and some digits written, taken out or moved where they may not be."""
    text = bytearray(draw(st.sampled_from(TEXTS)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(text) - 1))
        if draw(st.booleans()):
            # taken out, so that the skeleton stays
            while at < len(text) and chr(text[at]).isdigit():
                del text[at]
        else:
            text[at:at] = draw(st.from_regex(rb"[0-9]{1,20}|[ .a\n-]", fullmatch=True))
        if not text:
            text = bytearray(b"\n")
    return bytes(text)


@given(st.lists(damaged(), min_size=1, max_size=4))
def test_the_fast_way_gives_what_the_parser_gives(texts):
    """For any texts, damaged or not, read together: the same rows, the same unknown fields, the same refusals."""
    reader = NfsdRows()
    quickly(reader, TEXTS)
    expected = [slowly(text) for text in texts]
    assert quickly(reader, texts) == expected
    assert quickly(reader, texts) == expected


@pytest.mark.parametrize("text", TEXTS, ids=[f.parent.name for f in FILES])
def test_a_text_without_its_procedures_gives_the_same_row(text):
    """What is left out of a server's own lines is no measure of its own."""
    own = own_lines(text)
    assert slowly(own)[0] == slowly(text)[0]
    assert b"\nproc3 " not in own or b"\nproc4ops " not in text


def test_an_idle_servers_own_lines_stay_the_same_while_others_work():
    """The procedures of all servers stand in each server's file; they alone do not make it another text."""
    busy_elsewhere = re.sub(rb"\nproc4 2 (\d+) (\d+)", rb"\nproc4 2 \1 99\2", REAL)
    assert busy_elsewhere != REAL
    assert own_lines(busy_elsewhere) == own_lines(REAL)
    assert own_lines(REAL.replace(b"io 98172928", b"io 98172929")) != own_lines(REAL)


def test_an_unknown_line_between_the_procedures_is_not_lost():
    """Only lines known to be procedures are left out of a server's own lines."""
    text = REAL.replace(b"\nproc4 ", b"\nproc5 1 2\nproc4 ", 1)
    assert own_lines(text) == text


def test_a_thousand_changed_texts_are_read_many_times_faster_than_by_the_parser():
    """The reason for all this: CPU time, both ways in one run."""
    texts = [own_lines(REAL.replace(b"io 98172928", b"io %d" % (98172928 + i))) for i in range(1000)]
    reader = NfsdRows()
    reader.read(texts)
    fast = min(_cpu(lambda: reader.read(texts)) for _ in range(5))
    slow = 10 * min(_cpu(lambda: [row(parse(text)) for text in texts[:100]]) for _ in range(5))
    assert fast < slow / 4


def _cpu(work):
    began = time.thread_time()
    work()
    return time.thread_time() - began


def test_what_is_kept_of_broken_texts_is_their_errors_alone():
    """An error's traceback would hold on to the whole reading: 50 MiB with 1,000 broken texts in each cycle."""
    _, _, broken = NfsdRows().read([REAL, REAL[:-1], REAL.replace(b"rc ", b"rc x")])
    assert {i: error.__traceback__ for i, error in broken.items()} == {1: None, 2: None}
