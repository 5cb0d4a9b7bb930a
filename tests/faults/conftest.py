"""After the run: what the schedules came to."""

from faults.tally import TALLY


def pytest_terminal_summary(terminalreporter):
    if TALLY.schedules:
        terminalreporter.section("fault schedules")
        for line in TALLY.lines():
            terminalreporter.line(line)
