"""The configuration: one TOML file, every key also an environment variable, the command line above both.

A key `servers.exportfs` is `exportfs` in the table `[servers]`, the variable NASACCT_SERVERS__EXPORTFS, and in an error
it is named with its value, where it was said and what would be right. deploy/nasacct.toml shows every key.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from nasacct.config import environment
from nasacct.config.tables import Config, Table, default_root, keys
from nasacct.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Config", "ConfigError", "load"]

#: Read when neither --config nor NASACCT_CONFIG names another file and it exists.
DEFAULT_PATH = Path("/etc/nasacct.toml")


def load(
    path: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """The configuration of the file, the environment above it and `overrides` (by dotted key; None = unsaid) on top.

    Without `path`, the file is the one NASACCT_CONFIG names, else /etc/nasacct.toml if it exists. ConfigError for a
    missing or broken file, an unknown key and a wrong value.
    """
    if path is None and environ.get("NASACCT_CONFIG"):
        path = Path(environ["NASACCT_CONFIG"])
    elif path is None and DEFAULT_PATH.exists():
        path = DEFAULT_PATH
    values = _from_file(path) if path else {}
    said_in: dict[str, str] = {}
    for key, value, name in environment.values(environ, keys()):
        _put(values, key, value)
        said_in[key] = f"in the environment variable {name}"
    for key, value in (overrides or {}).items():
        if value is not None:
            _put(values, key, value)
            said_in[key] = "on the command line"
    values.setdefault("root", default_root(environ))
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_sentence(error, said_in, f"in {path}" if path else "by default")) from None


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration file {path}; make one or name another with --config") from None
    except OSError as error:
        raise ConfigError(f"the configuration {path} cannot be read ({error.strerror}); check its mode") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text at byte {error.start}; a configuration is TOML") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}; mend that line") from None


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *tables, last = key.split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise ConfigError(f"{table} is not a table, but {key} belongs into it; write [{table}]")
    values[last] = value


def _sentence(error: ValidationError, said_in: Mapping[str, str], otherwise: str) -> str:
    first = error.errors(include_url=False)[0]
    place = [part for part in first["loc"] if isinstance(part, str)]
    known = keys()
    # the longest known key that the place starts with: unions and lists add parts of their own behind it
    key = next((k for n in range(len(place), 0, -1) if (k := ".".join(place[:n])) in known), ".".join(place))
    where = said_in.get(key, otherwise)
    if first["type"] == "extra_forbidden" and ".".join(place) not in known:
        near = difflib.get_close_matches(".".join(place), [*known, *Config.model_fields], 1)
        mend = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(known)}"
        return f"unknown key {'.'.join(place)} {where}; {mend}"
    description = known[key].description if key in known else "a table, written as [" + key + "]"
    # pydantic's own reasons repeat the description in programmers' words; those of the validators above do not
    reason = f" ({first['msg'].removeprefix('Value error, ')})" if first["type"] == "value_error" else ""
    return f"{key} = {_shown(first['input'])} {where} is not valid{reason}; say {description}"


def _shown(value: Any) -> str:
    if isinstance(value, Table):
        value = value.model_dump(exclude_none=True)
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
