"""The engine: what runs SQL over Parquet files and Arrow tables. DuckDB, behind one small protocol.

DuckDB keeps nothing: the database is in memory, every query has a cursor for itself, and what a query sees is in its
text (views) or made on that cursor and taken away again (tables). It may read below the store's root and nothing else,
and no query can change that.
"""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from nasacct.errors import UNAVAILABLE, NasacctError

try:
    import duckdb
except ImportError:
    raise NasacctError(
        "answers need DuckDB, which is not installed; install nasacct with its extra: nasacct[reports]", UNAVAILABLE
    ) from None

#: The comments before a query, and the word that begins its own views.
_BEGIN = re.compile(r"(?:\s|--[^\n]*\n)*(WITH\b)?", re.IGNORECASE)
#: A parameter; comments name them too.
_COMMENT, _PARAMETER = re.compile(r"--[^\n]*"), re.compile(r"\$(\w+)")
# an answer is small beside what it was made of
warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)

#: Errors that the text of a query causes; a damaged file may cause any other.
_OF_SQL = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.SyntaxException)
#: What its errors say when Ctrl-C came while it ran: by itself, and in what it had called.
_STOPPED = ("Query interrupted", "KeyboardInterrupt")

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa


class EngineError(Exception):
    """A query that failed; `of_sql` says that its text is at fault, not a file."""

    def __init__(self, why: str, *, of_sql: bool) -> None:
        super().__init__(why)
        self.of_sql = of_sql


class Engine(Protocol):
    """Runs SQL."""

    def query(
        self,
        sql: str,
        params: Mapping[str, Any] | None = None,
        *,
        views: Mapping[str, str] | None = None,
        tables: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """The answer of one SELECT, with those of the parameters that it names as `$name`.

        `tables` and `views`, which are a SELECT each and may use those before them, are seen under their names.
        EngineError when it fails.
        """
        ...


class DuckEngine:
    """DuckDB in memory, allowed to read below `root`; `query` may be called by several threads.

    Each query has `threads`: one, for streams are asked at the same time, and short queries lose by sharing.
    """

    def __init__(self, root: Path, *, memory_mib: int = 512, threads: int = 1) -> None:
        spill = Path(tempfile.gettempdir()) / f"nasacct-{os.getpid()}"
        self._settings = {
            "memory_limit": f"'{memory_mib}MiB'",
            "threads": threads,
            "TimeZone": "'UTC'",
            "parquet_metadata_cache": "true",
            "temp_directory": quoted(str(spill)),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
            "allowed_directories": f"[{quoted(str(root))}]",
            "enable_external_access": "false",
            "lock_configuration": "true",
        }
        self._idle: list[duckdb.DuckDBPyConnection] = []
        # takes 20 ms, while whoever will ask looks at files
        starter = ThreadPoolExecutor(1, "duckdb")
        self._begun = starter.submit(self._begin)
        starter.shutdown(wait=False)

    def _begin(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(":memory:")
        for setting, value in self._settings.items():
            connection.execute(f"SET GLOBAL {setting} = {value}")
        return connection

    def query(
        self,
        sql: str,
        params: Mapping[str, Any] | None = None,
        *,
        views: Mapping[str, str] | None = None,
        tables: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """See `Engine.query`."""
        cursor = self._cursor()
        try:
            for name, table in (tables or {}).items():
                cursor.register(name, table)
            # not `cursor.sql`, which plans the query twice: once for its columns, once for its rows
            named = _PARAMETER.findall(_COMMENT.sub("", sql))
            cursor.execute(_with(sql, views or {}), {name: params[name] for name in named if params and name in params})
            answer = cursor.to_arrow_table()
            assert answer is not None
            for name in tables or {}:
                cursor.unregister(name)
        except (duckdb.Error, RuntimeError) as error:
            cursor.close()
            if any(sign in str(error) for sign in _STOPPED):
                raise KeyboardInterrupt from None
            if not isinstance(error, duckdb.Error):
                raise
            raise EngineError(str(error), of_sql=isinstance(error, _OF_SQL)) from error
        self._idle.append(cursor)
        return answer

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """One that nobody uses: making one takes as long as planning a short query."""
        try:
            return self._idle.pop()
        except IndexError:
            return self._begun.result().cursor()

    def close(self) -> None:
        """Give back the memory."""
        while self._idle:
            self._idle.pop().close()
        self._begun.result().close()


def _with(sql: str, views: Mapping[str, str]) -> str:
    """The query with the views before its own: planned with it, and never as tables of their own."""
    if not views:
        return sql
    made = ", ".join(f"{name} AS NOT MATERIALIZED ({select})" for name, select in views.items())
    begin = _BEGIN.match(sql)
    assert begin is not None
    return f"WITH {made}{', ' if begin[1] else ' '}{sql[begin.end() :]}"


def quoted(text: str) -> str:
    """The text as a string of SQL."""
    return "'" + text.replace("'", "''") + "'"
