"""Seals: the rows of closed months, which cannot change without somebody noticing.

    ROOT/sealed/2026-10-<sha256 of the file>.jsonl
    ROOT/sealed/seal.lock                              flock(2), held while a month is sealed

Each sealed month names the digest of the one before, so they are a chain: `sha256sum` checks one, comparing names and
first lines checks their order. Whoever makes the whole chain anew, or takes months from its end, leaves no trace in the
store itself: only the head's digest, noted elsewhere, tells.

A month begins and ends in its zone. Months are sealed one after the other, each where the last one ended.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from nasacct.errors import DATA, NasacctError, of_os
from nasacct.store import sealed_month
from nasacct.store.finding import Finding
from nasacct.store.root import existing, hold
from nasacct.store.sealed_month import Seal, SealError, after, begin, encode
from nasacct.store.sync import sync_folder

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

_NAME = re.compile(r"([12]\d{3}-(?:0[1-9]|1[0-2]))-([0-9a-f]{64})\.jsonl")
_LOCK = "seal.lock"
_MEND = "bring the sealed months back from a copy"


def seal(root: Path, month: str, zone: str, inventory: str, table: pa.Table) -> Seal:
    """Seal the rows of a month for ever; a month that is sealed with the same content is left as it is.

    `table` may have columns of strings, integers (within 64 bits), booleans and timestamps with a zone (no part of a
    microsecond), NULL in any of them; the order of rows does not matter. The caller knows that the month is over.

    NasacctError when the month is sealed otherwise, when it is not the next one, when the seals that are there are not
    sound, when another process is sealing, when the table has other columns, or when the disk does not take it.
    """
    existing(root)
    where = root / "sealed"
    with hold(where / _LOCK, f"months of {root} are being sealed already", "or wait until it has"):
        try:
            return _seal(root, where, (month, zone, inventory), table)
        except OSError as error:
            raise of_os(error, f"sealing {month} in {where}") from error


def seals(root: Path) -> list[Seal]:
    """The sealed months in order, as far as names and first lines make one chain; no row is read.

    NasacctError when one is of a newer version; OSError when the folder cannot be read.
    """
    return _look(root)[0]


def sealed_until(root: Path) -> datetime | None:
    """The moment in UTC up to which everything is sealed: the end of the last month of the chain; None without one."""
    chain = seals(root)
    return chain[-1].until if chain else None


def verify(root: Path) -> list[Finding]:
    """Read every sealed month: what is wrong with them and with their order.

    NasacctError when one is of a newer version; OSError when the folder cannot be read.
    """
    chain, findings = _look(root)
    for sealed in chain:
        try:
            sealed_month.rows(sealed)
        except SealError as error:
            findings.append(Finding("seal", sealed.path, f"{error}; {_MEND}"))
        except OSError as error:
            findings.append(Finding("unreadable", sealed.path, f"cannot be read now: {error.strerror}"))
    return findings


def _seal(root: Path, where: Path, what: tuple[str, str, str], table: pa.Table) -> Seal:
    month, zone, inventory = what
    chain, findings = _look(root)
    if findings:
        raise NasacctError(f"{findings[0]}; until then no month is sealed", DATA)
    for leftover in where.glob(".*.jsonl.tmp"):
        leftover.unlink()
    start, last = begin(month, zone), chain[-1] if chain else None
    same = next((s for s in chain if s.month == month), None)
    before = same.previous if same else last.digest if last else None
    made, content = encode(where, month, zone, inventory, before, table)
    if same is not None:
        if same.digest == made.digest:
            return same
        raise NasacctError(f"{month} is sealed with other content, as {same.path}, and never changes", DATA)
    if last is not None and (after(last.month) != month or start != last.until):
        raise NasacctError(
            f"{month} in {zone} does not begin where the last sealed month ends, {last.month} in {last.zone}; "
            f"seal {after(last.month)} in {last.zone} next",
            DATA,
        )
    temporary = where / f".{month}.jsonl.tmp"
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), 0o440)
        os.fsync(file.fileno())
    temporary.rename(made.path)
    sync_folder(where)
    sync_folder(root)
    return made


def _look(root: Path) -> tuple[list[Seal], list[Finding]]:
    """The chain by names and first lines, up to where it breaks, and what is wrong."""
    where = root / "sealed"
    chain: list[Seal] = []
    findings: list[Finding] = []
    before: tuple[str, str] | None = None
    sound = True
    for path in sorted(where.iterdir()) if where.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match is None:
            if not path.name.startswith(".") and path.name != _LOCK:
                findings.append(Finding("foreign", path, "is no sealed month; move it away"))
            continue
        try:
            sealed = sealed_month.named(path, match[1], match[2])
            _follows(sealed, before, chain[-1] if sound and chain else None)
            if sound:
                chain.append(sealed)
        except SealError as error:
            findings.append(Finding("seal", path, f"{error}; {_MEND}"))
            sound = False
        except OSError as error:
            findings.append(Finding("unreadable", path, f"cannot be read now: {error.strerror}"))
            sound = False
        before = match[1], match[2]
    return chain, findings


def _follows(sealed: Seal, before: tuple[str, str] | None, last: Seal | None) -> None:
    """SealError unless the seal follows the file `before` (month, digest), which is `last` if that one is sound."""
    if before is None:
        if sealed.previous is not None:
            raise SealError(f"follows a month with the digest {sealed.previous}, which is not there")
        return
    month, digest = before
    if month == sealed.month:
        raise SealError(f"is {month} once more")
    if sealed.previous != digest:
        raise SealError(f"does not follow {month} as it is there, but {sealed.previous or 'nothing'}")
    if after(month) != sealed.month or (last is not None and last.until != sealed.since):
        raise SealError(f"does not begin where {month} ends")
