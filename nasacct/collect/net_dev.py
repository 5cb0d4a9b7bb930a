"""The text of /proc/net/dev: the counters of every interface of a network namespace (net/core/net-procfs.c).

    Inter-|   Receive                                                |  Transmit
     face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
        lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
    s-srv1:   37234     221    0    0    0     0          0         0    51402     277    0    0    0     0       0          0

The second line names the columns, so the numbers are understood by it. Old kernels print no blank after the colon of a
wide number. Received and sent are the namespace's view.
"""  # noqa: E501  the file is as wide as it is

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nasacct.collect.lines import ParseError, fields, lines, number

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The kernel's column names where ours differ (the names of include/uapi/linux/if_link.h).
_NAMES = {"errs": "errors", "drop": "dropped", "colls": "collisions"}
_SIDES = ("rx", "tx")


@dataclass(frozen=True, slots=True)
class NetDev:
    """The text, understood: by interface `rx_bytes`, `rx_packets`, `rx_errors`, `rx_dropped`, ..., `tx_bytes`, ..."""

    links: Mapping[str, Mapping[str, int]]


def parse(text: bytes | str) -> NetDev:
    """Understand the whole text. Raises ParseError where that would need a guess."""
    all_lines = lines(text)
    columns = _columns(all_lines)
    links: dict[str, dict[str, int]] = {}
    for line_no, line in enumerate(all_lines[2:], 3):
        if not fields(line):
            continue
        name, colon, rest = line.rpartition(":")
        name = name.strip(" \t")
        if not colon or not name:
            raise ParseError(line_no, "it has no interface's name and colon")
        if name in links:
            raise ParseError(line_no, f"{name} stands in an earlier line already")
        words = fields(rest)
        if len(words) != len(columns):
            raise ParseError(line_no, f"{name} has {len(words)} numbers under {len(columns)} columns")
        links[name] = {column: number(word, line_no) for column, word in zip(columns, words, strict=True)}
    return NetDev(links)


def as_json(net_dev: NetDev) -> dict[str, dict[str, int]]:
    """The numbers by interface and column."""
    return {name: dict(values) for name, values in net_dev.links.items()}


def _columns(all_lines: list[str]) -> list[str]:
    sides = all_lines[1].split("|")[1:] if len(all_lines) > 1 else []
    if len(sides) != len(_SIDES) or not all_lines[0].startswith("Inter-|"):
        raise ParseError(min(len(all_lines), 2), "the two lines that name the columns are not those of a net/dev file")
    columns = [
        f"{side}_{_NAMES.get(word, word)}" for side, words in zip(_SIDES, sides, strict=True) for word in fields(words)
    ]
    if len(set(columns)) < len(columns) or not {"rx_bytes", "tx_bytes"} <= set(columns):
        raise ParseError(2, "the names of the columns are not those of a net/dev file")
    return columns
