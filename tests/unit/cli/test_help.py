"""`--help`, and what it costs to start."""

import subprocess
import sys
from pathlib import Path

import pytest

from nasacct.cli import app, reference

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", app.COMMANDS)
def test_help_of_each_command_ends_with_its_exit_statuses(nasacct, name):
    """Purpose, options, EXAMPLES, EXIT STATUS; at most 80 columns."""
    done = nasacct(name, "--help")
    assert done.returncode == 0
    assert done.stderr == ""
    examples, statuses = done.stdout.index("EXAMPLES"), done.stdout.index("EXIT STATUS")
    assert done.stdout.index("Options:") < examples < statuses
    assert done.stdout[examples:].splitlines()[1].strip().startswith("nasacct ")
    assert "0  done" in done.stdout[statuses:]
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_help_lists_each_command_in_a_whole_sentence(nasacct):
    """No line of the overview is cut off, and nasacct alone shows the same."""
    done = nasacct("--help")
    assert "..." not in done.stdout.split("Commands:")[1]
    assert all(f"\n  {name} " in done.stdout for name in app.COMMANDS)
    assert nasacct().stdout == done.stdout


def test_version_is_printed(nasacct):
    """`nasacct --version` says which it is."""
    from nasacct import __version__

    assert nasacct("--version").stdout == f"nasacct {__version__}\n"


def test_reference_is_what_the_commands_say():
    """docs/cli.md is made of the commands; `make docs` writes it anew."""
    assert (ROOT / "docs" / "cli.md").read_text() == "\n".join(reference.lines()) + "\n"


@pytest.mark.parametrize("arguments", [["--help"], ["collect", "--help"], ["parse", "nfsd", "nowhere"]])
def test_starting_imports_nothing_slow(arguments):
    """The collector's command line and every help load no duckdb, pandas, scipy or streamlit."""
    probe = (
        "import sys; from nasacct.__main__ import main; main(sys.argv[1:]); "
        "slow = {'duckdb', 'pandas', 'scipy', 'streamlit'} & set(sys.modules); sys.exit(1 if slow else 0)"
    )
    assert subprocess.run([sys.executable, "-c", probe, *arguments], capture_output=True, check=False).returncode == 0


def test_collector_imports_nothing_slow():
    """The modules of the collector load no duckdb, pandas, scipy, streamlit or typer."""
    probe = (
        "import sys, nasacct.collect.daemon; "
        "sys.exit(str({'duckdb', 'pandas', 'scipy', 'streamlit', 'typer', 'rich'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
