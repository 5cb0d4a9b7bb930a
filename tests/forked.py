"""The program run many times: a process that has imported all of it once is forked for each command line.

To import numpy, DuckDB and SciPy takes a second or two, which most commands need much less than.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SERVER = """
import json, os, sys
from nasacct.__main__ import without_pandas
without_pandas()
import duckdb, numpy, pyarrow.compute, pyarrow.parquet, rich.console, rich.table
import scipy.linalg, scipy.ndimage, scipy.optimize, scipy.special
import nasacct.__main__, nasacct.cli.app, nasacct.config, nasacct.reports.dossiers, nasacct.store.check.whole
asked, told = int(sys.argv[1]), int(sys.argv[2])
for line in open(asked):
    wanted = json.loads(line)
    child = os.fork()
    if not child:
        os.close(told)
        for number, path in enumerate(wanted["files"]):
            os.dup2(os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY), number)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", errors="backslashreplace")
        os.environ.clear()
        os.environ.update(wanted["environ"])
        sys.argv = ["nasacct", *wanted["arguments"]]
        sys.exit(nasacct.__main__.main(wanted["arguments"]))
    os.write(told, b"%d\\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


class Program:
    """`nasacct` ready to be forked; files of standard input and output lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._number = folder, 0
        (child_asked, self._ask), (self._told, child_told) = os.pipe(), os.pipe()
        command = [sys.executable, "-c", _SERVER, str(child_asked), str(child_told)]
        env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        self._server = subprocess.Popen(command, env=env, pass_fds=(child_asked, child_told), start_new_session=True)
        os.close(child_asked)
        os.close(child_told)

    def run(self, arguments: list[str], environ: dict[str, str], text: str) -> subprocess.CompletedProcess[str]:
        """Run one command line to its end, of a minute at most."""
        self._number += 1
        files = [self._folder / f"{self._number}.{name}" for name in ("in", "out", "err")]
        for path, content in zip(files, (text, "", ""), strict=True):
            path.write_text(content)
        wanted = {"arguments": arguments, "environ": environ, "files": list(map(str, files))}
        os.write(self._ask, json.dumps(wanted).encode() + b"\n")
        if not select.select([self._told], [], [], 60)[0]:
            raise subprocess.TimeoutExpired(["nasacct", *arguments], 60)
        status = int(os.read(self._told, 16) or b"-9")
        out, err = (path.read_bytes().decode("utf-8", "surrogateescape") for path in files[1:])
        return subprocess.CompletedProcess(["nasacct", *arguments], status, out, err)

    def close(self) -> None:
        """End it."""
        os.close(self._ask)
        self._server.wait(60)
        os.close(self._told)
