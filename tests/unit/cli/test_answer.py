"""Rows as a table, JSON and CSV."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from nasacct.cli import answer
from nasacct.cli.answer import Column, Form, cell, form, in_csv, in_json, show, table
from nasacct.errors import NasacctError
from nasacct.plain import plain
from nasacct.units import in_bytes

COLUMNS = [Column("server", "SERVER"), Column("read_bytes", "READ", in_bytes, bounded=True)]


def row(server, value, most, **more):
    return {"server": server, "read_bytes": value, "read_bytes_max": most, "read_bytes_quality": "exact", **more}


@pytest.mark.parametrize(
    ("value", "most", "shown"),
    [
        (98172928, 98172928, "98.2 MB"),
        (98172928, 120000000, "98.2 .. 120 MB"),
        (98172928, 1200000000, "98.2 MB .. 1.20 GB"),
        (98172928, 98180000, "~ 98.2 MB"),
        (98172928, None, ">= 98.2 MB"),
        (None, None, "unknown"),
        (0, 0, "0 B"),
    ],
)
def test_bounded_measure_says_what_is_certain_and_what_can_be(value, most, shown):
    """Exact is one number, bounded two, unbounded `>=`; unknown is never 0."""
    assert cell(row("a", value, most), COLUMNS[1]) == shown


def test_terminal_gets_no_control_characters():
    """Escape sequences, line ends, and characters that reorder or hide text are shown escaped."""
    assert plain("a\x1b[31mb\n\u202ec\u200bd\x9be") == "a\\x1b[31mb\\n\\u202ec\\u200bd\\x9be"
    assert plain("Žluťoučký kůň [red]") == "Žluťoučký kůň [red]"


def test_table_shows_names_as_they_are(capsys):
    """No name is taken for markup, none is cut; a heading stands above."""
    show([row("[bold]x\x1b[2J", 1000, 1000)], COLUMNS, Form.TABLE, "one row")
    shown = capsys.readouterr().out
    assert shown.startswith("one row\n")
    assert "[bold]x\\x1b[2J" in shown
    assert "\x1b" not in shown


def test_table_fits_a_terminal_and_a_pipe(capsys, monkeypatch):
    """At most 80 columns, with long names folded instead of numbers cut."""
    monkeypatch.setenv("COLUMNS", "80")
    show([row("server-" * 20, 98172928, 120000000)], COLUMNS, Form.TABLE)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert "98.2 .. 120 MB" in shown


def test_no_number_is_cut_in_a_narrow_terminal(capsys, monkeypatch):
    """Where the columns do not fit, cells are folded between words: every digit is there."""
    monkeypatch.setenv("COLUMNS", "40")
    wide = [Column(f"m{i}", f"M{i}", in_bytes, bounded=True) for i in range(4)]
    show([{f"m{i}{end}": v for i in range(4) for end, v in (("", 123e6), ("_max", 456e9))}], wide, Form.TABLE)
    words = capsys.readouterr().out.split()
    assert words.count("123") == words.count("456") == 4


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_spreadsheet_calculates_no_name(name):
    """A name that a spreadsheet would take for a formula is a text there."""
    (_, cells) = csv.reader(io.StringIO(in_csv([row(name, 1, 1)], COLUMNS)))
    assert not cells[0].startswith(("=", "+", "-", "@", "\t", "\r"))


def test_csv_has_the_fields_of_json():
    """Same names, all digits, times in UTC; unknown is an empty field; negative numbers stay numbers."""
    at = datetime(2026, 11, 23, 13, 5, tzinfo=UTC)
    rows = [row("a", None, None, at=at, change=-5), row('b"c', 2**53 + 1, None, at=at, change=1)]
    first, second = csv.DictReader(io.StringIO(in_csv(rows, COLUMNS)))
    assert list(first) == list(json.loads(in_json(rows))[0])
    assert (first["read_bytes"], first["at"], first["change"]) == ("", "2026-11-23T13:05:00Z", "-5")
    assert (second["server"], second["read_bytes"]) == ('b"c', "9007199254740993")


def test_csv_without_rows_has_its_header():
    """A program that reads the CSV finds the columns also when nothing happened."""
    assert in_csv([], COLUMNS) == "server,read_bytes,read_bytes_max,read_bytes_unknown,read_bytes_quality\r\n"


def test_json_is_valid_whatever_the_names():
    """NULL is null, NaN too, times are ISO 8601 in UTC, and the text is ASCII."""
    at = datetime(2026, 11, 23, 13, 5, tzinfo=UTC)
    text = in_json([row("ů\x1b\ud800", None, 1, at=at, share=float("nan"))])
    assert text.isascii()
    assert json.loads(text)[0] == row("ů\x1b\ud800", None, 1, at="2026-11-23T13:05:00Z", share=None)
    assert json.loads(in_json([])) == []


def test_two_forms_at_once_are_refused():
    """--json and --csv together are an error."""
    assert form(as_json=False, as_csv=True) is Form.CSV
    with pytest.raises(NasacctError):
        form(as_json=True, as_csv=True)


@pytest.mark.parametrize("width", [30, 80])
def test_a_long_table_looks_like_a_short_one(capsys, monkeypatch, width):
    """It is drawn by other means unless it must be folded; wide characters take two places."""
    monkeypatch.setenv("COLUMNS", str(width))
    columns = [*COLUMNS, Column("note", "NOTE", absent="")]
    rows = [
        row(name, 10**n, 10**n, note=note) for n, (name, note) in enumerate([("a", None), ("文字", "x"), ("c", "y")])
    ]
    show(rows, columns, Form.TABLE, "three rows")
    by_rich = capsys.readouterr().out
    monkeypatch.setattr(answer, "_MANY", 2)
    used = []
    monkeypatch.setattr(answer, "table", lambda *given: used.append(given) or table(*given))
    show(rows, columns, Form.TABLE, "three rows")
    assert capsys.readouterr().out == by_rich
    assert used == []
    show([row("long-name-" * 4, 1, 1), *rows], columns, Form.TABLE)
    assert bool(used) == (width == 30)
