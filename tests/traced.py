"""Traces: stores that the real collector wrote beside real kernel NFS servers, with who saturated the disk.

Of each, tests/fixtures/traces/NAME/store.tar.zst is the store, truth.json what really happened (README.md there).
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa

PLACE = Path(__file__).resolve().parent / "fixtures" / "traces"
STORE, TRUTH = "store.tar.zst", "truth.json"
#: The most that a store's tar may have.
_BYTES = 64 << 20


def names() -> list[str]:
    """The traces there are."""
    return sorted(path.parent.name for path in PLACE.glob(f"*/{TRUTH}"))


def truth(name: str) -> dict[str, Any]:
    """What happened in a trace."""
    found: dict[str, Any] = json.loads((PLACE / name / TRUTH).read_text("utf-8"))
    return found


def packed(store: Path) -> bytes:
    """A store in one piece; the same store gives the same bytes."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(store.rglob("*")):
            if path.is_file() and path.suffix != ".lock":
                member = tarfile.TarInfo(str(path.relative_to(store)))
                member.size, member.mode = path.stat().st_size, 0o644
                with path.open("rb") as file:
                    archive.addfile(member, file)
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(tar.getvalue())
    found: bytes = sink.getvalue().to_pybytes()
    return found


def unpacked(name: str, where: Path) -> Path:
    """The store of a trace, put below a folder."""
    with pa.CompressedInputStream(pa.OSFile(str(PLACE / name / STORE)), "zstd") as file:
        content = file.read(_BYTES)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(where, filter="data")
    return where
