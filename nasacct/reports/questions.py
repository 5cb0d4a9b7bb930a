"""The questions: one `.sql` file each, in `sql/`, whose header says what it answers, its parameters and its columns.

Where a question has a name in braces, it is asked of whatever is filled in there.
"""

from __future__ import annotations

from functools import cache
from importlib import resources


def question(name: str, **filled: str) -> str:
    """The text of `sql/<name>.sql`."""
    return _text(name).format(**filled) if filled else _text(name)


@cache
def _text(name: str) -> str:
    return resources.files("nasacct.reports.sql").joinpath(f"{name}.sql").read_text()
