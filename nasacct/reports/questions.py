"""The questions: one `.sql` file each, in `sql/`, whose header says what it answers, its parameters and its columns."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def question(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return resources.files("nasacct.reports.sql").joinpath(f"{name}.sql").read_text()
