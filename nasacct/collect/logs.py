"""Logs of the long-running commands: one event a line on stderr, as key=value.

Under journald (JOURNAL_STREAM) a line begins with its severity as `<6>` and carries no time, as sd-daemon(3) wants;
elsewhere it begins with the time in UTC.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime

_SEVERITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class Line(logging.Formatter):
    """Makes one line of a record; quotes in JSON's way what is not a plain word, so that no event spans two lines."""

    def __init__(self, journald: bool) -> None:
        super().__init__()
        self.journald = journald

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record, with its traceback quoted behind it when there is one."""
        words = [f"level={record.levelname.lower()}", f"in={record.name.removeprefix('nasacct.')}"]
        words.append(f"msg={json.dumps(record.getMessage(), ensure_ascii=False)}")
        if record.exc_info:
            words.append(f"traceback={json.dumps(self.formatException(record.exc_info), ensure_ascii=False)}")
        if self.journald:
            return f"<{_SEVERITY.get(record.levelno, 6)}>{' '.join(words)}"
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return f"time={at} {' '.join(words)}"


def begin(level: int = logging.INFO) -> None:
    """Send the program's log to stderr. A second call changes nothing."""
    top = logging.getLogger("nasacct")
    if any(isinstance(h.formatter, Line) for h in top.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line(bool(os.environ.get("JOURNAL_STREAM"))))
    top.addHandler(handler)
    top.setLevel(level)
    top.propagate = False
