"""What an episode is called."""

from __future__ import annotations

import re

from nasacct.store.judged import day_of

#: What is in no episode's name.
_UNSAFE = re.compile(r"[^A-Za-z0-9_.:-]")
_DAY_S = 86_400


def name_of(pool: str, moment: int) -> str:
    """An episode's name: its pool, as far as it has plain letters, and when it began (Unix time), in UTC."""
    hours, rest = divmod(moment % _DAY_S, 3600)
    return f"{_UNSAFE.sub('_', pool)}-{day_of(moment):%Y%m%d}-{hours:02}{rest // 60:02}{rest % 60:02}"
