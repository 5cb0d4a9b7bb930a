"""A store of fifteen minutes in which threads of a server, or a link, were full, and the only disk was not."""

from datetime import UTC, datetime

import series

START = datetime(2026, 11, 23, 10, tzinfo=UTC)
#: Of 90 cycles, from when to when something is full.
FIRST, END, CYCLES = 30, 60, 90
GBIT = 1_250_000_000  #: bytes of ten seconds


def counted(inside, outside):
    """A counter that grows by so much in a cycle within FIRST and END, and outside."""
    values = [0]
    for at in range(CYCLES):
        values.append(values[-1] + (inside if FIRST <= at < END else outside))
    return " ".join(map(str, values))


def store(where, *, threads=0.01, link=0.1, disk_ms=(0, 500), speed="1000", node=True):
    """Servers a and b on one disk, and a link: which part of threads and link is busy inside, and the disk's ms."""
    series.write(
        "\n".join(
            [
                f"disks disk=d device=sda ms_io {counted(*disk_ms)}",
                f"disks disk=d device=sda ms_weighted {counted(*disk_ms)}",
                f"disks disk=d device=sda reads {counted(disk_ms[0] // 8, disk_ms[1] // 8)}",
                f"node uptime_s {counted(10, 10)}" if node else "",
                f"nfsd server=a read_bytes {counted(10_000_000, 1_000_000)}",
                f"nfsd server=a rc_nocache {counted(1000, 100)}",
                f"nfsd server=b rc_nocache {counted(100, 100)}",
                f"links server=a link=va sent_bytes {counted(10_000_000, 1_000_000)}",
                f"links server= link=eth0 received_bytes {counted(1000, 1000)}",
                f"links server= link=eth0 sent_bytes {counted(int(link * GBIT), GBIT // 20)}",
                f"speeds link=eth0 mbit_s {f'{speed}+0x{CYCLES}' if speed else '? ' * CYCLES}",
                f"inflight server=a client= operation= sampled_us {counted(10_000_000, 10_000_000)}",
                f"inflight server=a client= operation= full_us {counted(int(threads * 10_000_000), 1000)}",
            ]
        ),
        where,
    )
    (where / "store.json").write_text('{"nasacct_store": 1}')
    return where
