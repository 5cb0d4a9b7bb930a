"""For all tests: with NASACCT_NO_SKIP=1 (as .ci/run sets it) a test that was skipped fails the run.

What a test found besides passing (`record_property("told", lines)`) is told at the end of the run.
"""

import os

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# no example is too slow on a busy machine; what lands is judged by the same examples each time, everybody else's runs
# look for new ones
settings.register_profile("here", deadline=None)
settings.register_profile("landing", deadline=None, derandomize=True)
settings.load_profile("landing" if os.environ.get("CI") else "here")

_skipped: list[str] = []
_told: list[str] = []


def pytest_runtest_logreport(report):
    if report.when == "teardown":
        # tests may run in other processes, whose reports alone come here
        _told.extend(lines for name, lines in report.user_properties if name == "told")
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(f"{report.nodeid}: {report.longrepr[2]}")


def pytest_collectreport(report):
    if report.skipped:
        _skipped.append(f"{report.nodeid}: {report.longrepr[2]}")


class Apart(LoadScopeScheduling):
    """One worker has the virtual machine, which mostly waits, the other what owns this machine's namespaces."""

    def _split_scope(self, nodeid):
        return "lab" if nodeid.startswith("tests/lab/") else "machine"


def pytest_xdist_make_scheduler(config, log):
    """What --dist=loadscope means here."""
    return Apart(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    if _skipped and os.environ.get("NASACCT_NO_SKIP") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    if _told:
        terminalreporter.section("found by the tests")
        for lines in _told:
            terminalreporter.line(lines)
    if _skipped and os.environ.get("NASACCT_NO_SKIP"):
        terminalreporter.section("skipped, but nothing may be (NASACCT_NO_SKIP)")
        for line in _skipped:
            terminalreporter.line(line)
