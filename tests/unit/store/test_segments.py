"""Segments: what is written is read, what is not whole is left out and told, and nothing is seen twice."""

import hashlib
import json
import random
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from nasacct.errors import NasacctError
from nasacct.store.schema import NFSD
from nasacct.store.segment_file import GROUP, GROUP_VALUES, MERGED_VALUES, SegmentWriter, check, read
from nasacct.store.segments import KEY, Footer, Replaced, SegmentError, named
from nasacct.store.shelf import shelf
from nasacct.store.tables import readings_schema, usage_schema

SCHEMA = usage_schema(NFSD)
TEN = int(datetime(2026, 11, 23, 10, tzinfo=UTC).timestamp()) * 1_000_000
HOUR = 3_600_000_000


def usage(rows, since=TEN, server="srv1"):
    """Usage of one server: `rows` intervals of 10 s, each with its number as bytes read."""
    at = datetime.fromtimestamp(since / 1e6, UTC)
    row = dict.fromkeys(SCHEMA.names, 0) | {"node": "n", "server": server, "epoch": "e", "whole": True}
    step = timedelta(seconds=10)
    return pa.Table.from_pylist(
        [row | {"t0": at + i * step, "t1": at + (i + 1) * step, "read_bytes": i} for i in range(rows)], schema=SCHEMA
    )


def write(where, *, level="part", since=TEN, until=TEN + HOUR, replaces=(), rows=3):
    """A segment in the folder `where`, which replaces the named files."""
    table = usage(rows, since)
    footer = Footer("usage", "nfsd", "n", level, since, until, rows, tuple(Replaced(n, "00") for n in replaces))
    with SegmentWriter(where, level, SCHEMA) as writer:
        writer.add(table)
        return writer.finish(footer)


def journal(number):
    """The name of a journal file."""
    return f"{number:08d}-20261123T100{number}00Z-00000000.journal"


def test_the_name_says_level_time_and_digest(tmp_path):
    """Times are whole seconds, rounded outwards; the digest is the file's sha256."""
    segment = write(tmp_path, level="hour", since=TEN + 1, until=TEN + HOUR + 1)
    digest = hashlib.sha256(segment.path.read_bytes()).hexdigest()[:16]
    assert segment.name == f"hour-20261123T100000Z-20261123T110001Z-{digest}.parquet"
    assert named(segment.path) == segment
    assert (segment.level, segment.since, segment.until) == ("hour", TEN // 10**6, TEN // 10**6 + 3601)


def test_the_footer_says_whose_rows_these_are_and_what_they_replace(tmp_path):
    """The footer's key holds JSON with the fields of docs/format.md."""
    segment = write(tmp_path, replaces=["a.journal"])
    assert json.loads(pq.read_metadata(segment.path).metadata[KEY]) == {
        "format": 1,
        "kind": "usage",
        "stream": "nfsd",
        "node": "n",
        "level": "part",
        "from": "2026-11-23T10:00:00.000000Z",
        "to": "2026-11-23T11:00:00.000000Z",
        "rows": 3,
        "replaces": [{"name": "a.journal", "digest": "00"}],
    }


def test_columns_are_packed_small_with_checksums(tmp_path):
    """Times are deltas, growth is split by bytes, what repeats has a dictionary, all is zstd, pages have checksums."""
    group = min(GROUP, GROUP_VALUES // len(SCHEMA))
    with SegmentWriter(tmp_path, "day", SCHEMA) as writer:
        writer.add(usage(group - 1))
        writer.add(usage(2, server="srv2"))
        segment = writer.finish(Footer("usage", "nfsd", "n", "day", TEN, TEN, group + 1, ()))
    meta = pq.read_metadata(segment.path)
    assert [meta.row_group(i).num_rows for i in range(meta.num_row_groups)] == [group, 1]
    for i, field in enumerate(SCHEMA):
        column = meta.row_group(0).column(i)
        assert column.compression == "ZSTD"
        if pa.types.is_timestamp(field.type):
            assert "DELTA_BINARY_PACKED" in column.encodings
        elif pa.types.is_string(field.type) or field.name.endswith(("before_us", "after_us", "cycles", "_more")):
            assert column.has_dictionary_page
        elif pa.types.is_integer(field.type):
            assert "BYTE_STREAM_SPLIT" in column.encodings
    assert pq.read_schema(segment.path).equals(SCHEMA)
    assert read(segment.path, SCHEMA).equals(pa.concat_tables([usage(group - 1), usage(2, server="srv2")]))
    assert len(read(segment.path, SCHEMA, rows=pc.field("read_bytes") == 7)) == 1


def test_what_is_soon_to_be_merged_has_small_row_groups(tmp_path):
    """A merge holds one row group of every input."""
    segment = write(tmp_path, rows=3 * MERGED_VALUES // len(SCHEMA))
    meta = pq.read_metadata(segment.path)
    sizes = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
    assert max(sizes) <= MERGED_VALUES // len(SCHEMA)


def test_readings_are_packed_as_they_grow(tmp_path):
    """Counters are deltas; when they were read is not so even that deltas would be smaller."""
    schema = readings_schema(NFSD)
    with SegmentWriter(tmp_path, "day", schema) as writer:
        row = dict.fromkeys(schema.names, 0) | {
            "node": "n",
            "server": "s",
            "epoch": "e",
            "kind": "read",
            "bits32": None,
        }
        writer.add(pa.Table.from_pylist([row | {"t": datetime.fromtimestamp(TEN / 1e6, UTC)}], schema=schema))
        segment = writer.finish(Footer("readings", "nfsd", "n", "day", TEN, TEN, 1, ()))
    group = pq.read_metadata(segment.path).row_group(0)
    encodings = {schema.names[i]: group.column(i).encodings for i in range(group.num_columns)}
    assert "DELTA_BINARY_PACKED" in encodings["read_bytes"]
    assert "BYTE_STREAM_SPLIT" in encodings["t"]
    assert "BYTE_STREAM_SPLIT" in encodings["boot_us"]


def test_a_column_that_an_older_segment_lacks_is_null(tmp_path):
    """Columns may be added later; old files need not be written anew."""
    old = SCHEMA.remove(SCHEMA.get_field_index("connections"))
    with SegmentWriter(tmp_path, "part", old) as writer:
        writer.add(usage(2).select(old.names))
        segment = writer.finish(Footer("usage", "nfsd", "n", "part", TEN, TEN, 2, ()))
    table = read(segment.path, SCHEMA)
    assert table.schema.equals(SCHEMA)
    assert table.column("connections").null_count == 2


def test_a_flipped_bit_is_found_wherever_it_is(tmp_path):
    """Neither zstd nor Parquet notices every flip; the checksums and the digest do."""
    segment = write(tmp_path, rows=500)
    sound = segment.path.read_bytes()
    check(segment)
    chance = random.Random(2)
    for _ in range(60):
        damaged = bytearray(sound)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        segment.path.write_bytes(damaged)
        with pytest.raises(SegmentError):
            check(segment)


def test_an_unfinished_segment_is_not_there(tmp_path):
    """Whoever fails while writing leaves no file; whoever is killed leaves one that nobody looks at."""
    with pytest.raises(ValueError, match="does not match"), SegmentWriter(tmp_path, "part", SCHEMA) as writer:
        writer.add(usage(1).rename_columns([*SCHEMA.names[:-1], "other"]).append_column("connections", [[None]]))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".part.parquet.tmp").write_bytes(b"PAR1 and then the power went")
    assert shelf(tmp_path).visible == {}
    assert shelf(tmp_path).trouble == []


def test_no_folder_and_no_files_are_an_empty_shelf(tmp_path):
    """A stream that was never written is no error."""
    assert shelf(tmp_path / "nothing").visible == {}
    assert shelf(tmp_path).visible == {}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: path.write_bytes(b"PAR1" + bytes(100) + b"PAR1"),
        lambda path: pq.write_table(pa.table({"a": [1]}), path),
    ],
    ids=["empty", "torn", "garbage", "foreign"],
)
def test_a_file_that_is_no_segment_is_told_and_left_out(tmp_path, spoil):
    """It costs the rows that it would have had, never the answer."""
    good, bad = write(tmp_path), write(tmp_path, since=TEN + HOUR, until=TEN + 2 * HOUR)
    spoil(bad.path)
    found = shelf(tmp_path)
    assert list(found.visible) == [good]
    assert found.damaged == [bad.path]
    assert bad.name in found.trouble[0]


def test_a_foreign_name_is_told(tmp_path):
    """Nothing but segments belongs into the folder, and a glob never decides."""
    (tmp_path / "copy-of-day.parquet").write_bytes(b"x")
    no_day = tmp_path / f"day-20261399T100000Z-20261123T100000Z-{'0' * 16}.parquet"
    no_day.write_bytes(b"x")
    assert no_day.name in shelf(tmp_path).trouble[-1]
    no_day.unlink()
    assert "copy-of-day.parquet is no segment" in shelf(tmp_path).trouble[0]


def test_an_input_is_hidden_as_long_as_a_whole_segment_lists_it(tmp_path):
    """When the segment that lists it is damaged, the input is seen again."""
    part = write(tmp_path)
    hour = write(tmp_path, level="hour", rows=4, replaces=[part.name])
    found = shelf(tmp_path)
    assert (list(found.visible), list(found.hidden)) == ([hour], [part])
    assert found.replaced[part.name][1] == hour
    hour.path.write_bytes(hour.path.read_bytes()[:-1])
    assert list(shelf(tmp_path).visible) == [part]


def test_only_footers_of_the_time_asked_for_are_read(tmp_path):
    """A damaged segment of another day is nobody's trouble today; one that reaches into the time is looked at."""
    today, later = write(tmp_path), write(tmp_path, since=TEN + 5 * HOUR, until=TEN + 6 * HOUR)
    later.path.write_bytes(b"broken")
    found = shelf(tmp_path, TEN, TEN + HOUR)
    assert (list(found.visible), found.trouble) == ([today], [])
    assert shelf(tmp_path, TEN, TEN + HOUR, also_at=[TEN // 10**6 + 5 * 3600 + 7]).damaged == [later.path]
    assert list(shelf(tmp_path, TEN + 7 * HOUR, None).visible) == []


def test_what_was_made_twice_of_one_journal_counts_once(tmp_path):
    """Two keepers on two copies of a store make two segments of the same file."""
    write(tmp_path, rows=3, replaces=[journal(1)])
    both = write(tmp_path, rows=5, replaces=[journal(1), journal(2)])
    found = shelf(tmp_path)
    assert list(found.visible) == [both]
    assert "repeats" in found.trouble[0]


def test_a_newer_version_is_refused_in_one_sentence(tmp_path):
    """What cannot be understood is not guessed at."""
    footer = Footer("usage", "nfsd", "n", "part", TEN, TEN, 0, ())
    newer = footer.encode().replace(b'"format":1', b'"format":2')
    table = SCHEMA.empty_table().replace_schema_metadata({KEY: newer})
    pq.write_table(table, tmp_path / "part-20261123T100000Z-20261123T100000Z-0123456789abcdef.parquet")
    with pytest.raises(NasacctError, match="version 2, this nasacct knows 1; update it"):
        shelf(tmp_path)
