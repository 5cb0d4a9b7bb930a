"""What the collector loads: a production NAS pays for it all day."""

import subprocess
import sys

# A whole frame through the journal and back, in a process that has imported what `nasacct collect` imports.
PROGRAM = """
import sys, tempfile
from pathlib import Path
import numpy as np
import nasacct.cli.app, nasacct.cli.collect, nasacct.collect.daemon
from nasacct.store import journal
from nasacct.store.frame import Batch, Frame, Instant, Rows, Subject
from nasacct.store.schema import NFSD
from nasacct.store.standing import Standing

subject = Subject("nfsd", {"server": "101"}, "boot/1", sid=1)
values = np.arange(NFSD.width, dtype=np.int64)[None, :]
at = Instant(1_800_000_000_000_000_000, 5)
frame = Frame(1, at, [Batch("nfsd", at, [subject], rows={"nfsd": Rows(np.array([1], np.int32), values)})], [subject])
standing = Standing()
standing.apply(frame)
origin = journal.Origin("n", "b", "0" * 32, "6.12", "0", 10**10)
path = Path(tempfile.mkdtemp(), journal.file_name(1, at, origin.run))
path.write_bytes(journal.encode_head(origin, 1, at, standing) + journal.encode_frame(frame))
found = journal.read(path)
assert found.frames[0].batches[0].rows["nfsd"].values.tolist() == values.tolist()
assert found.carry.last("nfsd").of(np.array([1]))[2][0].tolist() == values[0].tolist()
print(*(name for name in ("pandas", "pyarrow", "duckdb", "scipy", "streamlit") if name in sys.modules))
"""


def test_writing_and_reading_a_journal_loads_nothing_heavy():
    """Arrow takes 60 MiB, and its conveniences load pandas wherever that is installed; the collector needs neither."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert ran.stdout.split() == []
