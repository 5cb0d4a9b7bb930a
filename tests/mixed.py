"""A pool of rotating disks with special, log and cache devices beside them, as series of a store whose truth is known.

Four servers use it calmly for CALM samples; then one of them, or nobody, does much for JAM samples; then all are calm.
"""

from datetime import UTC, datetime, timedelta

import numpy as np

CALM, JAM, AFTER = 240, 30, 30
STEP_S = 10
BEGAN = datetime(2026, 11, 23, 10, tzinfo=UTC) + timedelta(seconds=CALM * STEP_S)
ENDED = BEGAN + timedelta(seconds=JAM * STEP_S)
#: The last one's dataset has sync=disabled.
SERVERS = ("101", "102", "103", "104")
#: What the devices are, and whether they rotate.
ROLES = {"sda": ("data", 1), "sdb": ("data", 1), "sdd": ("special", 0), "sde": ("log", 0), "sdf": ("cache", 0)}
#: IOs that a parallel device serves at a time, and seconds each takes.
_AT_ONCE, _IO_S = 16, 0.4e-3


def text(jam=None, after=AFTER, seed=1):
    """The series. `jam`: special (102 looks up what is not in memory), log (103 commits), data (101 reads), cache."""
    random, samples = np.random.default_rng(seed), CALM + JAM + after
    inside = np.zeros(samples)
    inside[CALM : CALM + JAM] = 1

    def course(rate):
        return rate * np.exp(0.2 * random.standard_normal(samples))

    ops = {
        server: {"read": course(10), "getattr": course(60), "write": course(8), "commit": course(3)}
        for server in SERVERS
    }
    if jam == "special":
        ops["102"]["lookup"] = inside * course(60_000)
    if jam == "log":
        ops["103"]["write"] += inside * course(50_000)
        ops["103"]["commit"] += inside * course(50_000)
        # begins when that does, and is answered from memory
        ops["101"]["read"] += inside * course(2000)
    if jam == "data":
        ops["101"]["read"] += inside * course(1000)
    hold = 1 - 0.7 * inside if jam in {"special", "log", "data"} else np.ones(samples)
    guilty = {"special": "102", "log": "103", "data": "101"}.get(jam)
    for server in SERVERS:
        if server != guilty and not (server == "101" and jam == "log"):
            ops[server] = {name: rate * hold for name, rate in ops[server].items()}
    reads = sum(ops[server]["read"] * (0.5 if jam != "log" or server != "101" else 0) for server in SERVERS)
    looked = sum(each["getattr"] + each.get("lookup", 0) for each in ops.values())
    committed = sum(ops[server]["commit"] for server in SERVERS[:-1])
    written = sum(each["write"] for each in ops.values()) * 0.02
    # where the data disks are full the special one has more to do, too, and does it
    small = inside * course(7000) if jam == "data" else np.zeros(samples)
    disks = {
        "sda": _rotating(reads / 2, np.minimum(written, 20)),
        "sdb": _rotating(reads / 2, np.minimum(written, 20)),
        "sdd": _parallel(looked * 0.7 + small, looked * 0.01),
        "sde": _parallel(np.zeros(samples), committed),
        "sdf": _parallel(inside * 60_000 if jam == "cache" else course(50), course(5)),
    }
    some = np.where(inside > 0, 0.9 if jam else 0.1, course(0.1))
    lines = [
        "start 2026-11-23T10:00:00Z",
        *_layout(samples),
        _line("node", "", "io_some_us", some * 1e6),
        _line("node", "", "io_full_us", some * 0.1e6),
    ]
    for server, rates in ops.items():
        of = f"server={server}"
        lines += [_line("ops", of, name, rate) for name, rate in rates.items()]
        for name, rate in (("read_bytes", rates["read"] * 16_000), ("written_bytes", rates["write"] * 8_000)):
            lines.append(_line("nfsd", of, name, rate))
        lines.append(_line("nfsd", of, "rc_nocache", sum(rates.values())))
    for device, measures in disks.items():
        lines += [_line("disks", f"disk={device} device={device}", name, rate) for name, rate in measures.items()]
    return "\n".join(lines)


def _layout(samples):
    flat = f"+0x{samples}"
    of = "layout pool=7 name=tank system=zfs"
    yield f"{of} role= device= slices 5{flat}"
    yield f"{of} role= device= txg_timeout_s 5{flat}"
    for device, (role, rotates) in ROLES.items():
        yield f"{of} role={role} device={device} slices 1{flat}"
        yield f"{of} role={role} device={device} rotational {rotates}{flat}"
    for server in SERVERS:
        of = f"places server={server} pool=7 dataset={server} objset=7-{server}"
        yield f"{of} exports 1{flat}"
        yield f"{of} sync {2 if server == SERVERS[-1] else 0}{flat}"


def _rotating(reads, writes):
    wanted = reads * 8e-3 + writes * 3e-3
    part = np.minimum(0.99 / np.maximum(wanted, 1e-9), 1)
    busy = np.minimum(wanted, 0.99)
    queue = busy / (1 - np.minimum(busy, 0.95))
    return _counters(reads * part, writes * part, busy, queue)


def _parallel(reads, writes):
    wanted = (reads + writes) * _IO_S / _AT_ONCE
    part = np.minimum(1 / np.maximum(wanted, 1e-9), 1)
    flying = np.where(wanted >= 1, 8 * _AT_ONCE, wanted * _AT_ONCE)
    return _counters(reads * part, writes * part, np.where(wanted >= 1, 1, 1 - np.exp(-flying)), flying)


def _counters(reads, writes, busy, queue):
    """What a second adds to each."""
    each = queue / np.maximum(reads + writes, 1e-9)
    return {
        "reads": reads,
        "sectors_read": reads * 32,
        "ms_reading": reads * each * 1e3,
        "writes": writes,
        "sectors_written": writes * 16,
        "ms_writing": writes * each * 1e3,
        "ms_io": busy * 1e3,
        "ms_weighted": queue * 1e3,
    }


def _line(stream, keys, measure, rate):
    values = np.concatenate([[0], np.cumsum(rate * STEP_S)]).astype(int)
    return f"{stream} {keys} {measure} {' '.join(map(str, values.tolist()))}"
