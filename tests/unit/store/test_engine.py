"""The engine: how queries are asked, and under which settings."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

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


ENDLESS = """
import pathlib, sys
from nasacct.store.engine import DuckEngine
engine = DuckEngine(pathlib.Path(sys.argv[1]))
print("asking", flush=True)
try:
    engine.query("SELECT sum(range % 7) FROM range(1000000000000000)")
except KeyboardInterrupt:
    print("stopped")
"""


def cpu_ticks(pid):
    """How much processor time a process has used, in ticks of 10 ms."""
    said = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(said[11]) + int(said[12])


def test_ctrl_c_ends_a_query(tmp_path):
    """As it ends everything else, and not as an error of the query or a fault of this program."""
    command = [sys.executable, "-c", ENDLESS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "asking\n"
            began = cpu_ticks(process.pid)
            while cpu_ticks(process.pid) < began + 30:
                # it is not in the query yet
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60) == ("stopped\n", "")
        finally:
            process.kill()
    assert process.returncode == 0
