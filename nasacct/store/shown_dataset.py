"""Which dataset a server shows, by the directory that it shows and the path under which clients mount it.

vpsAdmin makes them so (github.com/vpsfreecz/vpsadmin, libnodectld/lib/nodectld/nfs_server.rb and
api/models/transaction_chains/export/create.rb):

    /POOL/1001/photos/private                    as /export/1001/photos                          a dataset
    /POOL/vpsadmin/mount/12.clone/private        as /export/1001/photos-2026-11-27T01:00:00Z     a snapshot of it

where POOL is a file system, storage/nas. Whoever shows something else shows the dataset that is called as the
directory.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nasacct.store.inventory import Properties

#: A path of a snapshot: that of the dataset, and when it was taken (Ruby's Time#iso8601).
_SNAPSHOT = re.compile(r"(?P<path>.+)-(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d))", re.ASCII)
#: In which directory of a dataset its files are, and below which path all are shown unless a pool says otherwise.
_PRIVATE, _ROOT = "private", "export"


def dataset(directory: str, path: str) -> Properties:
    """The dataset that is shown, its pool and its snapshot, as far as directory and path tell; {} of the root."""
    of_directory, of_path = _parts(directory), _parts(path)
    if of_directory[-1:] == [_PRIVATE]:
        of_directory.pop()
    if (match := _SNAPSHOT.fullmatch("/".join(of_path))) is not None:
        parts = match["path"].split("/")
        return {"dataset": "/".join(parts[parts[0] == _ROOT and len(parts) > 1 :]), "snapshot": match["at"]}
    same = 0
    for one, other in zip(reversed(of_directory), reversed(of_path), strict=False):
        if one != other:
            break
        same += 1
    if 0 < same < len(of_directory):
        return {"dataset": "/".join(of_directory[-same:]), "pool": "/".join(of_directory[:-same])}
    return {"dataset": "/".join(of_directory)} if of_directory else {}


def above(name: str) -> Iterator[str]:
    """The datasets above the one of that name, the nearest first; the last one is the pool."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]
