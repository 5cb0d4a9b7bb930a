"""Numbers as people read them: decimal units (1 MB = 1,000,000 bytes), three significant digits."""

from __future__ import annotations

import re

_PREFIXES = ("", "k", "M", "G", "T", "P", "E")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|min|[smhdw]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|min|[smhdw])")


def _scaled(value: float, unit: str) -> str:
    size, prefix = abs(value), 0
    # 999.5 would be rounded to 1000: it belongs to the next prefix
    while size >= 999.5 and prefix < len(_PREFIXES) - 1:
        size, prefix = size / 1000, prefix + 1
    digits = 0 if prefix == 0 and size == int(size) else 2 if size < 9.995 else 1 if size < 99.95 else 0
    sign = "-" if value < 0 else ""
    return f"{sign}{size:.{digits}f} {_PREFIXES[prefix]}{unit}"


def in_bytes(value: float) -> str:
    """98172928 -> `98.2 MB`; below 1000 the exact number."""
    return _scaled(value, "B")


def in_bytes_per_s(value: float) -> str:
    """Bytes per second: 1250000 -> `1.25 MB/s`."""
    return _scaled(value, "B/s")


def in_bits_per_s(value: float) -> str:
    """Bits per second, of a rate in bits: 10000000000 -> `10.0 Gbit/s`."""
    return _scaled(value, "bit/s")


def in_count(value: float) -> str:
    """A count with every digit, in groups of three: 1234567 -> `1,234,567`."""
    return f"{value:,.0f}"


def in_percent(share: float) -> str:
    """A share of 1 as percent: 0.824 -> `82 %`, small ones with a digit more."""
    percent = 100 * share
    return f"{percent:.1f} %" if 0 < abs(percent) < 9.95 else f"{percent:.0f} %"


def in_duration(seconds: float) -> str:
    """Seconds as the two largest units: 0.0042 -> `4.2 ms`, 93784 -> `1 d 2 h`."""
    size, sign = abs(seconds), "-" if seconds < 0 else ""
    if size == 0:
        return "0 s"
    if size < 0.9995:
        return f"{sign}{size * 1000:.3g} ms" if size >= 0.0009995 else f"{sign}{size * 1e6:.3g} us"
    if size < 59.95:
        return f"{sign}{size:.3g} s"
    whole = round(size)
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    first = next(i for i, (width, _) in enumerate(units) if whole >= width)
    parts = [f"{whole // units[first][0]} {units[first][1]}"]
    if first + 1 < len(units):
        rest = whole % units[first][0] // units[first + 1][0]
        parts += [f"{rest} {units[first + 1][1]}"] if rest else []
    return sign + " ".join(parts)


def seconds(text: str) -> float:
    """The length of `90s`, `10m`, `1h30m`, `2d`, `1w` or a bare number of seconds; ValueError for anything else."""
    compact = text.replace(" ", "").lower()
    if compact.replace(".", "", 1).isdecimal() and compact.isascii():
        return float(compact)
    if not compact.isascii() or not _DURATION.fullmatch(compact):
        raise ValueError(f"{text!r} is no length of time; write it as 90s, 10m, 1h30m, 2d or 1w")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(compact))
