"""The source `datasets`: what was read and written in each ZFS dataset, by whoever it was, nfsd or a process here.

A file of the kernel's for each mounted file system and each volume (`objset.py`), opened and closed: the table behind
it is gone when the file system is unmounted, and a new one that begins at 0 is there when it is mounted again. So the
moment at which a table was made is a part of its epoch.

ZFS before 2.2 frees such a table before it takes its file away (dataset_kstats_destroy). There it is not read, for
pools do not tell their guids.

All datasets are read, also those that no server shows, for what is done with these is what servers have to share their
disks with. Where that takes more than half of the source's budget, they are read less often.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from typing import TYPE_CHECKING

import numpy as np

from nasacct.collect import kstat, objset, pools
from nasacct.collect.budget import affordable
from nasacct.collect.changes import Changes
from nasacct.collect.lines import ParseError
from nasacct.store.frame import Batch, Subject
from nasacct.store.schema import DATASETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nasacct.collect.machine import Listing, Machine
    from nasacct.collect.objset import Objset
    from nasacct.store.frame import Instant

#: What reading says of a table that is no more: its file is, or was open already.
_GONE = (errno.ENOENT, errno.EIO)


class Datasets:
    """Reads every dataset's counters every `interval_s`, and hands out the rows that changed.

    `admit` gives a new subject its sid; `share` is how much of a processor the source may take.
    """

    name = DATASETS.source
    streams = (DATASETS.name,)
    optional = True

    def __init__(
        self, admit: Callable[[Subject], int], interval_s: float, share: float = 1.0, *, kstats: Path = pools.KSTATS
    ) -> None:
        self.pace_s = float(interval_s)
        self._admit, self._interval_s, self._share, self._kstats = admit, float(interval_s), share, kstats
        #: by the dataset's id
        self._subjects: dict[str, Subject] = {}
        self._changes = Changes(DATASETS)

    def read(self, machine: Machine, listing: Listing) -> Batch:  # noqa: ARG002  whatever servers there are
        """Read all there are. Raises OSError where there is no ZFS."""
        began = time.thread_time()
        batch = Batch(self.name, machine.now(), [])
        found: dict[Subject, tuple[int, ...]] = {}
        for dataset, path in self._files():
            try:
                one = objset.parse(kstat.read(path))
            except OSError as error:
                if error.errno not in _GONE:
                    raise
            except ParseError as error:
                batch.broken(self._subjects.get(dataset), f"{path}: {error}")
            else:
                found[self._subject(machine.boot_id, batch.at, dataset, one)] = one.values
                batch.unknown_fields += len(one.unknown)
        batch.listed = [*found, *batch.failed]
        batch.rows = self._changes.rows(list(found), np.array(list(found.values()), np.int64))
        if batch.complete:
            self._changes.forget_others(self._subjects, set(batch.listed))
        self.pace_s = affordable(self._interval_s, time.thread_time() - began, self._share)
        return batch

    def close(self) -> None:
        """Nothing is kept open."""

    def _files(self) -> Iterator[tuple[str, str]]:
        """The id and the file of each dataset."""
        for pool, guid in pools.guids(self._kstats).items():
            # one that was exported just now has none
            with contextlib.suppress(FileNotFoundError), os.scandir(self._kstats / pool) as files:
                for file in files:
                    number = objset.number_of(file.name)
                    if number is not None:
                        yield f"{guid}-{number:x}", file.path

    def _subject(self, boot_id: str, at: Instant, dataset: str, one: Objset) -> Subject:
        """The life of the dataset that this is, a new one where its table was made anew."""
        epoch = f"{boot_id}/{dataset}/{one.made_ns}"
        subject = self._subjects.get(dataset)
        if subject is not None and subject.epoch == epoch:
            if subject.about["name"] != one.name:
                # the next head of a journal file has it
                subject.about["name"] = one.name
            return subject
        if subject is not None:
            self._changes.forget(subject)
        about: dict[str, str | int | None] = {"name": one.name, "born_boot_ns": kstat.born_boot_ns(one.made_ns, at)}
        subject = self._subjects[dataset] = Subject(self.name, {"dataset": dataset}, epoch, about=about)
        subject.sid = self._admit(subject)
        return subject
