"""The NASACCT_* environment variables as configuration values.

A key `servers.exportfs` is NASACCT_SERVERS__EXPORTFS. Lists are JSON or separated by commas, tables are JSON; an empty
text unsets a key that may be unset. A variable that resembles a key without being one is an error; others are left
alone.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, get_args, get_origin

from nasacct.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo

_PREFIX = "NASACCT_"
#: Variables of nasacct that are not configuration keys.
OTHERS = frozenset({"NASACCT_CONFIG", "NASACCT_TRACEBACK", "NASACCT_NO_SKIP"})
_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def variable(key: str) -> str:
    """The environment variable of a key: `servers.exportfs` -> NASACCT_SERVERS__EXPORTFS."""
    return _PREFIX + key.replace(".", "__").upper()


def values(environ: Mapping[str, str], keys: Mapping[str, FieldInfo]) -> Iterator[tuple[str, Any, str]]:
    """Every key that the environment sets: (key, value, variable); ConfigError for a name that is nearly one."""
    known = {variable(key): key for key in keys}
    for name in sorted(environ):
        if key := known.get(name):
            yield key, _typed(environ[name], keys[key], name), name
        elif name.startswith(_PREFIX) and name not in OTHERS:
            for near in difflib.get_close_matches(name, known, 1, 0.9):
                raise ConfigError(f"the environment variable {name} is not known; did you mean {near}?")


def _typed(text: str, info: FieldInfo, name: str) -> Any:
    annotation: Any = info.annotation
    kinds = get_args(annotation) or (annotation,)
    if not text and type(None) in kinds:
        return None
    if get_origin(annotation) in (tuple, dict):
        if get_origin(annotation) is tuple and not text.lstrip().startswith(("[", "{")):
            return [part.strip() for part in text.split(",") if part.strip()]
        try:
            return json.loads(text)
        except ValueError:
            raise ConfigError(f"{name} is not valid JSON; say {info.description}") from None
    if bool in kinds:
        return _WORDS.get(text.lower(), text)
    for number in (int, float):
        if number in kinds:
            try:
                return number(text)
            except ValueError:
                continue
    return text
