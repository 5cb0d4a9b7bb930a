"""The engine: how queries are asked, and under which settings."""

import threading

import duckdb
import pytest

from nasacct.store.engine import DuckEngine

SETTINGS = {
    "TimeZone": "UTC",
    "parquet_metadata_cache": True,
    "python_enable_replacements": False,
    "enable_external_access": False,
    "lock_configuration": True,
}


def test_an_engine_is_asked_by_several_threads(tmp_path):
    """Each query has a cursor of its own."""
    engine = DuckEngine(tmp_path)
    answers = []

    def ask(number):
        answers.append(engine.query("SELECT $n AS n, count(*) AS c FROM range(200000)", {"n": number}).to_pylist()[0])

    threads = [threading.Thread(target=ask, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a["n"] for a in answers) == list(range(8))


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_query_has_the_settings_of_the_engine(tmp_path, setting):
    """Its cursor too, which inherits only what is set for all."""
    engine = DuckEngine(tmp_path)
    answer = engine.query(f"SELECT current_setting('{setting}') AS found")
    assert answer.to_pylist() == [{"found": SETTINGS[setting]}]


def test_times_are_utc_wherever_the_machine_is(tmp_path, monkeypatch):
    """Also what SQL makes a day of."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    engine = DuckEngine(tmp_path)
    answer = engine.query("SELECT make_timestamptz(0) AS at, date_trunc('day', make_timestamptz(0))::VARCHAR AS day")
    assert answer.schema.field("at").type.tz == "UTC"
    assert answer.column("day").to_pylist() == ["1970-01-01 00:00:00+00"]


def test_a_question_gets_the_parameters_that_it_names(tmp_path):
    """A comment that names one does not ask for it."""
    engine = DuckEngine(tmp_path)
    answer = engine.query("-- $other is of another question\nSELECT $n AS n", {"n": 7, "other": 8, "nn": 9})
    assert answer.to_pylist() == [{"n": 7}]


class Interrupted:
    """A cursor on which Ctrl-C is pressed: when that comes, and what DuckDB 2 makes of it, differ from time to time."""

    def __init__(self, error):
        self.error, self.closed = error, False

    def execute(self, *_):
        raise self.error

    def close(self):
        self.closed = True


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Query interrupted"),
        duckdb.InvalidInputException("offering a filter to the source registered as 'x' failed: KeyboardInterrupt: "),
    ],
    ids=["by itself", "in what it called"],
)
def test_ctrl_c_is_no_fault_of_a_query(tmp_path, error):
    """It ends the program as it does everywhere else, and its cursor is asked no more."""
    engine = DuckEngine(tmp_path)
    cursor = Interrupted(error)
    engine._idle.append(cursor)
    with pytest.raises(KeyboardInterrupt):
        engine.query("SELECT 1 AS n")
    assert cursor.closed
    assert engine.query("SELECT 1 AS n").to_pylist() == [{"n": 1}]
