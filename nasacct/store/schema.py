"""The one shared word: which streams exist, what a row of each is about, and what every number means.

A *stream* is one kind of row. Its *measures* are what the kernel counts (counters, cumulative within an epoch) or
shows (gauges, true at the instant they were read). A *source* (one module of `nasacct.collect`) reads one thing and
feeds one or more streams; all rows of one reading share its subject, epoch and instant.

Readings carry the measures of `Stream.measures` as they were read: int64, NULL where absent. Usage carries
`Stream.usage`: the growth between two readings of one epoch (for gauges: the later value).
"""

from __future__ import annotations

from typing import Literal

from nasacct.store.nfs_names import PROC2, PROC3, PROC4, PROC4OPS
from nasacct.store.stream import Measure, Stream, UsageMeasure


def _counters(unit: str, names: list[str] | tuple[str, ...], bits: Literal[32, 64] = 64) -> tuple[Measure, ...]:
    return tuple(Measure(n, unit, bits=bits) for n in names)


def _as_read(measures: tuple[Measure, ...], bounded: tuple[str, ...] = ()) -> tuple[UsageMeasure, ...]:
    """Sums in rollups of those that are `bounded` outlive what is unknown: an end of a life that nobody read."""
    return tuple(UsageMeasure(m.name, m.unit, (m.name,), bounded=m.name in bounded) for m in measures)


#: What clients moved and asked of one server: /proc/<pid>/net/rpc/nfsd, lines rc, fh, io, net, rpc, wdeleg_getattr.
NFSD = Stream(
    "nfsd",
    "nfsd",
    ("server",),
    (
        Measure("read_bytes", "bytes", per_s=1_250_000_000),
        Measure("written_bytes", "bytes", per_s=1_250_000_000),
        *_counters("calls", ["rc_hits", "rc_misses", "rc_nocache"]),
        *_counters("replies", ["fh_stale"]),
        *_counters("packets", ["net_packets", "net_udp", "net_tcp"], 32),
        *_counters("connections", ["net_tcp_connections"], 32),
        *_counters("calls", ["rpc_calls", "rpc_bad_calls", "rpc_bad_format", "rpc_bad_auth", "rpc_bad_client"], 32),
        *_counters("delegations", ["wdeleg_getattr"]),
    ),
    (
        UsageMeasure("read_bytes", "bytes", ("read_bytes",), bounded=True),
        UsageMeasure("written_bytes", "bytes", ("written_bytes",), bounded=True),
        # rc counts every dispatched call exactly; `rpc` and `net` lose updates (facts of linux-nfs, 2026)
        UsageMeasure("calls", "calls", ("rc_hits", "rc_misses", "rc_nocache"), bounded=True),
        UsageMeasure("repeated_calls", "calls", ("rc_hits",)),
        UsageMeasure("stale_replies", "replies", ("fh_stale",)),
        UsageMeasure("bad_calls", "calls", ("rpc_bad_calls",)),
        UsageMeasure("connections", "connections", ("net_tcp_connections",)),
    ),
)

_OPS = _counters("operations", [*PROC4OPS.values(), "op_other"])
#: NFSv4 operations of one server (line proc4ops); what lies beyond the table is summed in op_other.
OPS = Stream("ops", "nfsd", ("server",), _OPS, _as_read(_OPS))

_PROCS = (
    *_counters("calls", [f"proc2_{n}" for n in PROC2]),
    *_counters("calls", [f"proc3_{n}" for n in PROC3]),
    *_counters("calls", [f"proc4_{n}" for n in PROC4]),
    Measure("threads", "threads", "gauge"),
)
#: NFSv2 and v3 procedures and the number of nfsd threads: of the whole node where the kernel counts them together
#: (server NULL), of one server where it does not.
PROCS = Stream("procs", "procs", ("server",), _PROCS, _as_read(_PROCS))

#: One network interface, seen from the server behind it: received = into the NAS. server NULL = not a server's.
LINKS = Stream(
    "links",
    "links",
    ("server", "link"),
    (
        *_counters("bytes", ["received_bytes", "sent_bytes"]),
        *_counters("packets", ["received_packets", "sent_packets", "received_dropped", "sent_dropped"]),
        *_counters("packets", ["received_errors", "sent_errors"]),
    ),
    (
        UsageMeasure("received_bytes", "bytes", ("received_bytes",), bounded=True),
        UsageMeasure("sent_bytes", "bytes", ("sent_bytes",), bounded=True),
        UsageMeasure("received_packets", "packets", ("received_packets",)),
        UsageMeasure("sent_packets", "packets", ("sent_packets",)),
        UsageMeasure("dropped_packets", "packets", ("received_dropped", "sent_dropped")),
        UsageMeasure("error_packets", "packets", ("received_errors", "sent_errors")),
    ),
)

#: What one of the host's own links can carry each way, as its driver says (NULL: unknown), and whether it is up.
_SPEEDS = (Measure("mbit_s", "Mbit/s", "gauge"), Measure("up", "flag", "gauge"))
SPEEDS = Stream("speeds", "speeds", ("link",), _SPEEDS, _as_read(_SPEEDS))

#: What the kernel calls a procedure: NFSv3's (and v2's of the same name), NFSv4's only one, and all else together.
PROCEDURES = (*PROC3, "compound", "other")
_INSIDE_CALLS = _counters("calls", [f"{n}_calls" for n in PROCEDURES])
_INSIDE_US = _counters("us", [f"{n}_us" for n in PROCEDURES])
#: Calls that one server has answered, and the time of its threads that they took, by procedure.
INSIDE = Stream(
    "inside",
    "inside",
    ("server",),
    (*_INSIDE_CALLS, *_INSIDE_US),
    (
        UsageMeasure("calls", "calls", tuple(m.name for m in _INSIDE_CALLS)),
        UsageMeasure("thread_us", "us", tuple(m.name for m in _INSIDE_US)),
        *_as_read((*_INSIDE_CALLS, *_INSIDE_US)),
    ),
)

#: Buckets of latency: of calls that took at most 1, 2, 4, ... microseconds, and the last one of all others.
BUCKETS = 24
_LATENCY = _counters("calls", [f"calls_{i:02}" for i in range(BUCKETS)])
#: Calls that one server has answered, by how long it took: calls_NN took at most 2^NN us, and more than half of it.
LATENCY = Stream("latency", "latency", ("server",), _LATENCY, _as_read(_LATENCY))

#: What one nfsd thread had read from disks and made dirty in memory; usage has one row for all of a server's.
_THREADS = _counters("bytes", ["disk_read_bytes", "dirtied_bytes"])
THREADS = Stream("threads", "threads", ("server",), _THREADS, _as_read(_THREADS), joined=True)

#: What one client moved over TCP to and from one server: received = into the NAS. `client` is the id of its address.
CLIENTS = Stream(
    "clients",
    "clients",
    ("server", "client"),
    _counters("bytes", ["received_bytes", "sent_bytes"]),
    (
        UsageMeasure("received_bytes", "bytes", ("received_bytes",), bounded=True),
        UsageMeasure("sent_bytes", "bytes", ("sent_bytes",), bounded=True),
    ),
    joined=True,
)

#: Samples of the calls that one client has in flight of one operation of a server (rpc-status-get), as sums of a run of
#: the collector: their time, and in how many samples they were. client NULL: none was told; operation NULL: of the
#: server, how much time passed, how much of that was sampled, and in how much of this all of its threads were busy.
INFLIGHT = Stream(
    "inflight",
    "inflight",
    ("server", "client", "operation"),
    (
        *_counters("us", ["in_flight_us"]),
        *_counters("calls", ["sampled_calls"]),
        *_counters("us", ["sampled_us", "full_us", "passed_us"]),
    ),
    (
        UsageMeasure("in_flight_us", "us", ("in_flight_us",), bounded=True),
        UsageMeasure("sampled_calls", "calls", ("sampled_calls",), bounded=True),
        UsageMeasure("sampled_us", "us", ("sampled_us",), bounded=True),
        UsageMeasure("full_us", "us", ("full_us",), bounded=True),
        UsageMeasure("passed_us", "us", ("passed_us",), bounded=True),
    ),
    joined=True,
)

#: What one client read and wrote below one exported path of a server, at least: an entry of /proc/fs/nfsd/export_stats
#: is an epoch, and what it gained after it was read last is lost. `export` and `client` are ids, of the path and of the
#: address, or of what exports(5) has instead of one.
EXPORTS = Stream(
    "exports",
    "export_stats",
    ("server", "export", "client"),
    (*_counters("bytes", ["read_bytes", "written_bytes"]), *_counters("replies", ["stale_handles"])),
    (
        UsageMeasure("read_bytes", "bytes", ("read_bytes",), bounded=True),
        UsageMeasure("written_bytes", "bytes", ("written_bytes",), bounded=True),
        UsageMeasure("stale_replies", "replies", ("stale_handles",)),
    ),
    joined=True,
)

#: One block device (/proc/diskstats). Milliseconds are cut to 32 bits by the kernel when it prints them.
_DISKS = (
    *_counters("requests", ["reads", "reads_merged"]),
    *_counters("sectors", ["sectors_read"]),
    Measure("ms_reading", "ms", bits=32, per_s=4_096_000),
    *_counters("requests", ["writes", "writes_merged"]),
    *_counters("sectors", ["sectors_written"]),
    Measure("ms_writing", "ms", bits=32, per_s=4_096_000),
    Measure("in_flight", "requests", "gauge"),
    Measure("ms_io", "ms", bits=32, per_s=1_100),
    Measure("ms_weighted", "ms", bits=32, per_s=4_096_000),
    *_counters("requests", ["discards", "discards_merged"]),
    *_counters("sectors", ["sectors_discarded"]),
    Measure("ms_discarding", "ms", bits=32, per_s=4_096_000),
    *_counters("requests", ["flushes"]),
    Measure("ms_flushing", "ms", bits=32, per_s=4_096_000),
)
DISKS = Stream("disks", "disks", ("disk", "device"), _DISKS, _as_read(_DISKS))

#: One ZFS dataset, by its guid: what it holds, and how much more it may hold by its quotas and those above it, and by
#: what is left of the pool.
_SPACE = tuple(
    Measure(f"{name}_bytes", "bytes", "gauge")
    for name in ("used", "referenced", "available", "quota", "refquota", "snapshots")
)
SPACE = Stream("space", "space", ("dataset",), _SPACE, _as_read(_SPACE))

#: One mounted ZFS file system, or a volume, by its pool's guid and its number there: what was done with it, by anybody.
_DATASETS = (
    *_counters("calls", ["reads"]),
    *_counters("bytes", ["read_bytes"]),
    *_counters("calls", ["writes"]),
    *_counters("bytes", ["written_bytes"]),
    *_counters("files", ["unlinks", "unlinked"]),
    *_counters("commits", ["zil_commits"]),
    *_counters("records", ["zil_records"]),
    *_counters("bytes", ["zil_bytes"]),
)
_MOVED = ("reads", "read_bytes", "writes", "written_bytes")
DATASETS = Stream("datasets", "datasets", ("dataset",), _DATASETS, _as_read(_DATASETS, _MOVED))

#: What a pool can be, by number: the kernel's words (spa_state_to_name).
POOL_STATES = ("ONLINE", "DEGRADED", "SUSPENDED", "FAULTED", "UNAVAIL", "OFFLINE", "REMOVED", "SPLIT")
#: Transactions by how long they waited for a group: at most 2^NN ns; the first also all less, the last also all more.
WAITS = {f"waits_{i}": i for i in range(14, 34)}
#: One ZFS pool, by its guid, in sums of a run of the collector: the transaction groups that it committed, what went
#: through the ARC, who waited. pool NULL: of the whole host, where ZFS counts it together.
_POOLS = (
    *_counters("groups", ["committed", "missed"]),
    *_counters("bytes", ["dirty_bytes", "read_bytes", "written_bytes"]),
    *_counters("requests", ["reads", "writes"]),
    *_counters("us", ["open_us", "quiesce_us", "wait_us", "sync_us"]),
    Measure("longest_sync_us", "us", "gauge"),
    Measure("pending_us", "us", "gauge"),
    Measure("state", "state", "gauge"),
    *_counters("requests", ["arc_reads", "arc_writes"]),
    *_counters("bytes", ["arc_read_bytes", "arc_written_bytes", "direct_read_bytes", "direct_written_bytes"]),
    *_counters("bytes", ["trimmed_bytes"]),
    *_counters("transactions", tuple(WAITS)),
    *_counters("transactions", ["tx_assigned", "tx_delayed", "tx_throttled", "tx_over_max", "tx_log_delayed"]),
)
_COMMITTED = (*_MOVED, "committed", "dirty_bytes", "sync_us")
POOLS = Stream("pools", "pools", ("pool",), _POOLS, _as_read(_POOLS, _COMMITTED))

#: What a disk of a pool can be, by number: ZFS's words, of md those that mean the same.
PART_STATES = ("ONLINE", "DEGRADED", "FAULTED", "OFFLINE", "REMOVED", "UNAVAIL", "AVAIL")
#: One disk of a pool, by what it is for there (`role`: data, special, dedup, log, cache, spare). `pool` is the guid of
#: a ZFS pool, else the device that is one: an array of md, what a file system lies on (`system`: zfs, md, disk). device
#: NULL: the pool itself, with what ZFS's module was told.
_LAYOUT = tuple(
    Measure(name, unit, "gauge")
    for name, unit in (
        ("slices", "slices"),
        ("rotational", "flag"),
        ("state", "state"),
        ("txg_timeout_s", "s"),
        ("dirty_data_max_bytes", "bytes"),
        ("scrub_max_active", "requests"),
    )
)
LAYOUT = Stream("layout", "layout", ("pool", "name", "system", "role", "device"), _LAYOUT, _as_read(_LAYOUT))

#: What `sync` of a dataset can be, by number; what is no dataset is synced as asked.
SYNCS = ("standard", "always", "disabled")
#: On which pool exports of a server lie, and in which dataset: its guid, as `space` has it, and its id in `datasets`
#: (NULL: none, or unknown).
_PLACES = (Measure("exports", "directories", "gauge"), Measure("sync", "sync", "gauge"))
PLACES = Stream("places", "places", ("server", "pool", "dataset", "objset"), _PLACES, _as_read(_PLACES))

#: What was read of a pool to look whether it is whole: scrub, resilver, check, resync and so on (`function`). Each byte
#: was read `copies_hundredths` times by its disks.
_SCANS = (
    *_counters("bytes", ["issued_bytes"]),
    Measure("to_examine_bytes", "bytes", "gauge"),
    Measure("running", "flag", "gauge"),
    Measure("copies_hundredths", "copies/100", "gauge"),
)
SCANS = Stream("scans", "scans", ("pool", "function"), _SCANS, _as_read(_SCANS, ("issued_bytes",)))

#: What processes here did that are not nfsd, by job, in sums of a run of the collector, at least: bytes that disks read
#: for them and that they made dirty, and bytes that they took and gave by system calls.
_LOCAL = _counters("bytes", ["disk_read_bytes", "dirtied_bytes", "taken_bytes", "given_bytes"])
LOCAL = Stream("local", "local", ("job",), _LOCAL, _as_read(_LOCAL, tuple(m.name for m in _LOCAL)))

#: The machine as a whole: /proc/pressure/io (microseconds), /proc/stat (ticks of 1/100 s), memory, load.
_NODE = (
    *_counters("us", ["io_some_us", "io_full_us"]),
    *_counters("ticks", ["cpu_user", "cpu_nice", "cpu_system", "cpu_idle", "cpu_iowait", "cpu_irq", "cpu_softirq"]),
    *_counters("ticks", ["cpu_steal"]),
    *_counters("switches", ["context_switches"]),
    *_counters("forks", ["forks"]),
    Measure("running", "tasks", "gauge"),
    Measure("blocked", "tasks", "gauge"),
    Measure("load1_hundredths", "tasks/100", "gauge"),
    Measure("load5_hundredths", "tasks/100", "gauge"),
    Measure("load15_hundredths", "tasks/100", "gauge"),
    Measure("memory_total_bytes", "bytes", "gauge"),
    Measure("memory_available_bytes", "bytes", "gauge"),
    Measure("memory_dirty_bytes", "bytes", "gauge"),
    Measure("memory_writeback_bytes", "bytes", "gauge"),
    Measure("swap_used_bytes", "bytes", "gauge"),
    Measure("uptime_s", "s", "gauge"),
)
NODE = Stream("node", "node", (), _NODE, _as_read(_NODE))

#: How each source fared in a cycle; all gauges, written for every cycle in which the source ran.
_HEALTH = tuple(
    Measure(n, u, "gauge")
    for n, u in (
        ("took_us", "us"),
        ("cpu_us", "us"),
        ("listed", "subjects"),
        ("read", "subjects"),
        ("failed", "subjects"),
        ("unknown_fields", "fields"),
        ("late", "cycles"),
    )
)
HEALTH = Stream("health", "health", ("source_name",), _HEALTH, _as_read(_HEALTH))

_OF_NFSD = (EXPORTS, INSIDE, LATENCY, THREADS, INFLIGHT)
_OF_ZFS = (SPACE, DATASETS, POOLS)
_OF_POOLS = (LAYOUT, PLACES, SCANS)
_OF_DISKS = (DISKS, *_OF_ZFS, *_OF_POOLS)
STREAMS = {s.name: s for s in (NFSD, OPS, PROCS, LINKS, SPEEDS, CLIENTS, *_OF_NFSD, *_OF_DISKS, LOCAL, NODE, HEALTH)}
