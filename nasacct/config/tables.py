"""What can be configured: every key, its type, its default and what is right for it, in the words of an error."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

#: Where the store is by default when run as root.
SYSTEM_ROOT = Path("/var/lib/nasacct")
NODE_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}"

Source = Literal[
    "nfsd", "procs", "links", "clients", "disks", "node", "export_stats", "inside", "latency", "threads", "inflight",
    "space", "datasets", "pools", "local", "layout", "places", "scans", "speeds",
]  # fmt: skip
#: Those that are read unless others are named.
_READ: tuple[Source, ...] = ("nfsd", "procs", "links", "speeds", "clients", "disks", "node")


def _said(path: Any) -> Any:
    if path == "":
        raise ValueError("it is empty")
    return path


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("there is no such zone in this machine's time zone database (package tzdata)") from None
    return name


def default_root(environ: Mapping[str, str] = os.environ) -> Path:
    """/var/lib/nasacct as root, else `nasacct` in the user's data folder."""
    if os.geteuid() == 0:
        return SYSTEM_ROOT
    data = environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data.startswith("/") else Path.home() / ".local" / "share") / "nasacct"


def _default_node() -> str:
    return os.uname().nodename


AbsolutePath = Annotated[Path, BeforeValidator(_said), AfterValidator(_absolute)]


Days = Annotated[int, Field(ge=1, le=36_500)]


class Table(BaseModel):
    """One table of the file: frozen, without unknown keys; a value of another type is not converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, strict=True)


class StaticServer(Table):
    """One NFS server that discovery does not find: its name and a process or a namespace it lives in."""

    name: str = Field(description="the server's name: letters, digits, . _ -", pattern=f"^{NODE_NAME}$")
    pid: int | None = Field(default=None, description="the pid of a process in the server's network namespace", ge=1)
    namespace: str | None = Field(
        default=None, description="a named network namespace or the path of one", min_length=1
    )
    link: str | None = Field(
        default=None, description="the host's end of the server's veth", min_length=1, max_length=15
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> StaticServer:
        if (self.pid is None) == (self.namespace is None):
            raise ValueError("a static server has either pid or namespace")
        return self


class Servers(Table):
    """Where NFS servers are looked for."""

    exportfs: AbsolutePath | None = Field(
        default=Path("/run/osctl/exportfs"), description="the state directory of osctl-exportfs", strict=False
    )
    namespaces: bool = Field(
        default=True, description="true or false: whether every named network namespace is a server"
    )
    counter: str = Field(
        default="rpc/nfsd",
        description="the counter file below /proc/<pid>/net, such as rpc/nfsd",
        pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$",
    )
    static: tuple[StaticServer, ...] = Field(
        default=(),
        description='a list of tables with a name and a pid or a namespace: {name = "a", pid = 1}',
        strict=False,
    )


class Links(Table):
    """Which interfaces are recorded beside the servers' own."""

    uplinks: tuple[str, ...] = Field(
        default=(),
        description='a list of interface names, such as ["eth0"]; empty: the physical ones and bonds',
        strict=False,
    )


class Disks(Table):
    """Which block devices are recorded; shell patterns of device names."""

    include: tuple[str, ...] = Field(
        default=(), description='a list of patterns such as ["sd*"]; empty: every whole disk', strict=False
    )
    exclude: tuple[str, ...] = Field(default=(), description='a list of patterns such as ["nbd*"]', strict=False)


class Sources(Table):
    """What is read, and how long reading may take."""

    enabled: tuple[Source, ...] = Field(
        default=_READ, description=f"a list of {', '.join(get_args(Source))}", strict=False
    )
    deadline_ms: int = Field(
        default=2000, description="a whole number of milliseconds from 10 to 60000", ge=10, le=60_000
    )
    budget_percent: float = Field(
        default=1,
        description="a number from 0.01 to 100: percent of one processor that a source may take which others can spare",
        ge=0.01,
        le=100,
    )


class ExportStats(Table):
    """How the source `export_stats` is read, where it is."""

    interval_s: int = Field(default=60, description="a whole number of seconds from 1 to 3600", ge=1, le=3600)


class Inflight(Table):
    """How calls in flight are sampled, where the source `inflight` is read."""

    force: bool = Field(
        default=False, description="true or false: whether they are sampled where the kernel is not known to be safe"
    )
    interval_ms: int = Field(default=1000, description="a number of ms from 100 to 60000", ge=100, le=60_000)


class Space(Table):
    """Which ZFS datasets' space is looked at beside those that servers show, where the source `space` is read."""

    interval_s: int = Field(default=900, description="a whole number of seconds from 60 to 86400", ge=60, le=86_400)
    datasets: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][^@#\t\n]*$")], ...] = Field(
        default=(), description='a list of datasets such as ["tank/vps"]; each with all below it', strict=False
    )


class Kstats(Table):
    """How often ZFS's counters are read, where the source `datasets` or `pools` is."""

    interval_s: int = Field(default=30, description="a whole number of seconds from 1 to 3600", ge=1, le=3600)


class Local(Table):
    """How often other processes are looked at, where the source `local` is read."""

    interval_s: int = Field(default=30, description="a whole number of seconds from 1 to 3600", ge=1, le=3600)


class Looks(Table):
    """How often it is looked which disks make up pools, or on which pools exports lie, where that source is read."""

    interval_s: int = Field(default=300, description="a whole number of seconds from 60 to 86400", ge=60, le=86_400)


class Scans(Table):
    """How often it is looked how far scrubs and resilvers have come, where the source `scans` is read."""

    interval_s: int = Field(default=30, description="a whole number of seconds from 10 to 3600", ge=10, le=3600)


class Vpsadmin(Table):
    """The API that knows who owns what."""

    url: str | None = Field(
        default=None, description='the address of vpsAdmin\'s API, such as "https://api.example.org/v7.0"'
    )
    token_file: AbsolutePath | None = Field(
        default=None, description="the file in which the token stands, readable by nobody else", strict=False
    )


Share = Annotated[float, Field(ge=0, le=1)]


class Episodes(Table):
    """From where on disks do not keep up, and which of that is an episode."""

    busy: Share = Field(default=0.95, description="a share of the time from 0 to 1")
    busy_stalled: Share = Field(default=0.85, description="a share of the time from 0 to 1")
    busy_others: Share = Field(default=0.92, description="a share of the time from 0 to 1")
    behind: float = Field(default=1.3, description="a number from 1 to 100", ge=1, le=100)
    full: Share = Field(default=0.40, description="a share of the time from 0 to 1")
    sync_s: float = Field(default=0.5, description="a number of seconds from 0 to 3600", ge=0, le=3600)
    wait_ratio: float = Field(default=2.0, description="a number from 1 to 1000", ge=1, le=1000)
    queue_ratio: float = Field(default=4.0, description="a number from 1 to 1000", ge=1, le=1000)
    some: Share = Field(default=0.50, description="a share of the time from 0 to 1")
    enter: int = Field(default=3, description="a whole number from 1 to `of`", ge=1, le=60)
    of: int = Field(default=4, description="a whole number from 1 to 60", ge=1, le=60)
    leave: int = Field(default=6, description="a whole number from 1 to 60", ge=1, le=60)
    merge_s: int = Field(default=60, description="a whole number of seconds from 0 to 3600", ge=0, le=3600)
    least_s: int = Field(default=60, description="a whole number of seconds from 0 to 3600", ge=0, le=3600)
    minor_s: int = Field(default=120, description="a whole number of seconds from 0 to 3600", ge=0, le=3600)
    outage_s: int = Field(default=600, description="a whole number of seconds from 60 to 86400", ge=60, le=86_400)

    @model_validator(mode="after")
    def _can_begin(self) -> Episodes:
        if self.enter > self.of:
            raise ValueError("an episode cannot begin: enter is more than of")
        return self


class Store(Table):
    """How long what is kept, and the bounds that unknown bytes get."""

    journal_minutes: int = Field(default=15, description="a whole number of minutes from 1 to 60", ge=1, le=60)
    ring_mib: int = Field(default=32, description="a whole number of MiB from 1 to 1024", ge=1, le=1024)
    ring_dir: AbsolutePath | None = Field(
        default=Path("/run/nasacct"), description="a directory on a file system in memory", strict=False
    )
    readings_days: int = Field(default=40, description="a whole number of days from 1 to 100", ge=1, le=100)
    readings_days_most: int = Field(default=100, description="a whole number of days from 1 to 36500", ge=1, le=36_500)
    usage_days: int = Field(default=400, description="a whole number of days from 1 to 36500", ge=1, le=36_500)
    usage_days_of: dict[str, Days] = Field(
        default={
            "clients": 90,
            "datasets": 90,
            "exports": 90,
            "inflight": 90,
            "inside": 90,
            "places": 90,
            "space": 90,
        },
        description="a table of streams and whole numbers of days, such as { health = 30 }",
    )
    judged_days: int = Field(default=1100, description="a whole number of days from 1 to 36500", ge=1, le=36_500)
    link_rate_bits: int = Field(
        default=10_000_000_000,
        description="the most bits per second one server's link can carry, such as 10_000_000_000",
        ge=1000,
        le=10**13,
    )


class Privacy(Table):
    """How long what names people is kept; usage of clients is kept as long as store.usage_days_of says."""

    addresses_days: Days = Field(
        default=400, description="a whole number of days from 1 to 36500, of addresses that were not seen since"
    )
    members_days: Days = Field(
        default=400, description="a whole number of days from 1 to 36500, of members that are no more"
    )


class Config(Table):
    """Everything that can be configured, checked."""

    root: AbsolutePath = Field(
        default_factory=default_root, description="the path of the store's directory", strict=False
    )
    mountpoint: AbsolutePath | None = Field(
        default=None, description="a directory that must be a mount point before the store is touched", strict=False
    )
    node: str = Field(
        default_factory=_default_node,
        description="this machine's name in the store: letters, digits, . _ -",
        pattern=f"^{NODE_NAME}$",
    )
    interval_s: float = Field(default=10, description="a number of seconds from 1 to 300", ge=1, le=300)
    zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        default="Europe/Prague", description="the name of a time zone, such as Europe/Prague or UTC"
    )
    reader_group: str | None = Field(
        default=None,
        description="the name of the system group that may read the store",
        pattern=r"^[A-Za-z0-9_][\w.-]{0,31}$",
    )
    servers: Servers = Field(default=Servers(), description="a table")
    links: Links = Field(default=Links(), description="a table")
    disks: Disks = Field(default=Disks(), description="a table")
    sources: Sources = Field(default=Sources(), description="a table")
    export_stats: ExportStats = Field(default=ExportStats(), description="a table")
    inflight: Inflight = Field(default=Inflight(), description="a table")
    space: Space = Field(default=Space(), description="a table")
    datasets: Kstats = Field(default=Kstats(), description="a table")
    pools: Kstats = Field(default=Kstats(), description="a table")
    local: Local = Field(default=Local(), description="a table")
    layout: Looks = Field(default=Looks(), description="a table")
    places: Looks = Field(default=Looks(), description="a table")
    scans: Scans = Field(default=Scans(), description="a table")
    vpsadmin: Vpsadmin = Field(default=Vpsadmin(), description="a table")
    episodes: Episodes = Field(default=Episodes(), description="a table")
    store: Store = Field(default=Store(), description="a table")
    privacy: Privacy = Field(default=Privacy(), description="a table")

    @property
    def tz(self) -> ZoneInfo:
        """The zone in which people read times."""
        return ZoneInfo(self.zone)


def keys(table: type[BaseModel] = Config, above: str = "") -> dict[str, FieldInfo]:
    """Every key with its dots -> its field, in the order of the model."""
    found: dict[str, FieldInfo] = {}
    for name, info in table.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Table):
            found |= keys(info.annotation, f"{above}{name}.")
        else:
            found[above + name] = info
    return found
