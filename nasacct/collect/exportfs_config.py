"""The database of one osctl-exportfs server, `servers/<name>/config.yml`, as Ruby's YAML.dump writes it.

    ---
    address: 172.16.128.10
    netif:
    nfsd:
      nproc: 8
    exports:
    - dir: "/tank/1001/private"
      as: "/export/1001"
      host: 172.16.8.21/32
      options: rw,sync,no_root_squash

`netif` is empty for the default, `nfs-<name>`. The file is read by its YAML events alone: no tag makes an object, no
text becomes a number or a date, and nesting, which PyYAML's C composer answers with a crash, is cut short.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from nasacct.collect.machine import Export

if TYPE_CHECKING:
    from collections.abc import Iterator

#: An export with 1,000 allowed hosts has about 150 kB.
LIMIT_BYTES = 1 << 20
_LIMIT_EVENTS = 200_000
_LIMIT_DEPTH = 16
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NO_KEY = object()
_NULLS = ("", "~", "null", "Null", "NULL")


class ConfigTroubleError(ValueError):
    """The file is not a configuration; its text says why, for a sentence."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What is taken from the file: `netif` None = the default; `threads` None = not said.

    `passed_over` says what in the file was not understood, None when everything was.
    """

    address: str | None = None
    netif: str | None = None
    threads: int | None = None
    exports: tuple[Export, ...] = ()
    passed_over: str | None = None


def parse(data: bytes) -> ServerConfig:
    """Take what is of the right kind from a configuration. Raises ConfigTroubleError for what is no YAML mapping."""
    if len(data) > LIMIT_BYTES:
        raise ConfigTroubleError(f"larger than {LIMIT_BYTES} bytes")
    tree = _tree(data)
    if not isinstance(tree, dict):
        raise ConfigTroubleError("no mapping" if data.strip() else "empty")
    bad: list[str] = []
    nfsd = tree.get("nfsd", "")
    threads = nfsd.get("nproc", "") if isinstance(nfsd, dict) else ""
    address, netif = _text(tree, "address", bad), _text(tree, "netif", bad)
    exports = tuple(_exports(tree.get("exports", ""), bad))
    return ServerConfig(
        address,
        netif,
        int(threads) if isinstance(threads, str) and threads.isdecimal() and len(threads) <= 6 else None,
        exports,
        ", ".join(dict.fromkeys(bad)) or None,
    )


def printable(text: str) -> str:
    """The text with everything escaped that no terminal, JSON or UTF-8 file should get raw."""
    return text if text.isprintable() else text.encode("unicode_escape", "surrogatepass").decode("ascii")


def _text(mapping: dict[str, Any], key: str, bad: list[str]) -> str | None:
    value = mapping.get(key, "")
    if not isinstance(value, str) or len(value) > 4096:
        bad.append(key)
        return None
    return None if value in _NULLS else printable(value)


def _exports(rows: Any, bad: list[str]) -> Iterator[Export]:
    if not isinstance(rows, list):
        if rows not in _NULLS:
            bad.append("exports")
        return
    for row in rows:
        if not isinstance(row, dict):
            bad.append("exports")
            continue
        values = [_text(row, key, bad) for key in ("dir", "as", "host", "options")]
        if values[0] is None or values[1] is None:
            bad.append("exports")
            continue
        yield Export(values[0], values[1], values[2] or "", values[3] or "")


def _tree(data: bytes) -> Any:
    """The first document as str, list and dict. Anchors, which Ruby writes for a repeated string, are followed."""
    try:
        return _build(data)
    except yaml.YAMLError as err:
        raise ConfigTroubleError(_reason(err)) from None
    except (UnicodeError, RecursionError, ValueError) as err:
        raise ConfigTroubleError(printable(str(err))) from None


@dataclass(slots=True)
class _Open:
    """A collection under construction: its anchor, and for a mapping the key that waits for its value."""

    content: list[Any] | dict[str, Any]
    anchor: str | None = None
    key: Any = _NO_KEY

    def put(self, value: Any) -> None:
        if isinstance(self.content, list):
            self.content.append(value)
        elif self.key is _NO_KEY:
            self.key = value
        else:
            if isinstance(self.key, str):
                self.content[self.key] = value
            self.key = _NO_KEY


def _build(data: bytes) -> Any:
    root: list[Any] = []
    stack = [_Open(root)]
    anchors: dict[str, Any] = {}
    value: Any
    for count, event in enumerate(yaml.parse(data, Loader=_LOADER)):
        if count > _LIMIT_EVENTS or len(stack) > _LIMIT_DEPTH:
            raise ConfigTroubleError("longer or deeper than any configuration")
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.DocumentEndEvent):
            break
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append(_Open([] if isinstance(event, yaml.SequenceStartEvent) else {}, anchor))
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            closed = stack.pop()
            value, anchor = closed.content, closed.anchor
        elif isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            # an anchor counts from the end of what it names, so nothing can contain itself
            if anchor not in anchors:
                raise ConfigTroubleError("an alias without an anchor")
            value = anchors[anchor]
        else:
            continue
        if anchor:
            anchors[anchor] = value
        stack[-1].put(value)
    return root[0] if root else None


def _scalar(event: yaml.ScalarEvent) -> str:
    value = str(event.value)
    if event.tag in ("!binary", "tag:yaml.org,2002:binary"):
        try:
            return base64.b64decode(value).decode("utf-8", "surrogateescape")
        except binascii.Error:
            return value
    return value


def _reason(err: yaml.YAMLError) -> str:
    mark = getattr(err, "problem_mark", None)
    problem = getattr(err, "problem", None) or getattr(err, "reason", None) or "not YAML"
    return printable(str(problem)) + (f" in line {mark.line + 1}" if mark is not None else "")
