"""The configuration: one TOML file, every key also an environment variable, the command line above both.

A key `servers.exportfs` is `exportfs` in the table `[servers]`, the variable NASACCT_SERVERS__EXPORTFS, and in an error
it is named with its value, where it was said and what would be right. deploy/nasacct.toml shows every key.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from nasacct import environment
from nasacct.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

#: Read when neither --config nor NASACCT_CONFIG names another file and it exists.
DEFAULT_PATH = Path("/etc/nasacct.toml")
#: Where the store is by default when run as root.
SYSTEM_ROOT = Path("/var/lib/nasacct")
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}"

Source = Literal["nfsd", "procs", "links", "disks", "node"]


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


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, strict=True)


class StaticServer(_Table):
    """One NFS server that discovery does not find: its name and a process or a namespace it lives in."""

    name: str = Field(description="the server's name: letters, digits, . _ -", pattern=f"^{_NAME}$")
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


class Servers(_Table):
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


class Links(_Table):
    """Which interfaces are recorded beside the servers' own."""

    uplinks: tuple[str, ...] = Field(
        default=(), description='a list of interface names, such as ["eth0"]; empty: the physical ones', strict=False
    )


class Disks(_Table):
    """Which block devices are recorded; shell patterns of device names."""

    include: tuple[str, ...] = Field(
        default=(), description='a list of patterns such as ["sd*"]; empty: every whole disk', strict=False
    )
    exclude: tuple[str, ...] = Field(default=(), description='a list of patterns such as ["nbd*"]', strict=False)


class Sources(_Table):
    """What is read, and how long reading may take."""

    enabled: tuple[Source, ...] = Field(
        default=get_args(Source), description=f"a list of {', '.join(get_args(Source))}", strict=False
    )
    deadline_ms: int = Field(
        default=2000, description="a whole number of milliseconds from 10 to 60000", ge=10, le=60_000
    )


class Store(_Table):
    """How long what is kept, and the bounds that unknown bytes get."""

    journal_minutes: int = Field(default=15, description="a whole number of minutes from 1 to 60", ge=1, le=60)
    ring_mib: int = Field(default=32, description="a whole number of MiB from 1 to 1024", ge=1, le=1024)
    readings_days: int = Field(default=40, description="a whole number of days from 1 to 100", ge=1, le=100)
    usage_days: int = Field(default=400, description="a whole number of days from 1 to 36500", ge=1, le=36_500)
    link_rate_bits: int = Field(
        default=10_000_000_000,
        description="the most bits per second one server's link can carry, such as 10_000_000_000",
        ge=1000,
        le=10**13,
    )


class Config(_Table):
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
        pattern=f"^{_NAME}$",
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
    store: Store = Field(default=Store(), description="a table")

    @property
    def tz(self) -> ZoneInfo:
        """The zone in which people read times."""
        return ZoneInfo(self.zone)


def keys(table: type[BaseModel] = Config, above: str = "") -> dict[str, FieldInfo]:
    """Every key with its dots -> its field, in the order of the model."""
    found: dict[str, FieldInfo] = {}
    for name, info in table.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, _Table):
            found |= keys(info.annotation, f"{above}{name}.")
        else:
            found[above + name] = info
    return found


def load(
    path: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """The configuration of the file, the environment above it and `overrides` (by dotted key; None = unsaid) on top.

    Without `path`, the file is the one NASACCT_CONFIG names, else /etc/nasacct.toml if it exists. ConfigError for a
    missing or broken file, an unknown key and a wrong value.
    """
    if path is None and environ.get("NASACCT_CONFIG"):
        path = Path(environ["NASACCT_CONFIG"])
    elif path is None and DEFAULT_PATH.exists():
        path = DEFAULT_PATH
    values = _from_file(path) if path else {}
    said_in: dict[str, str] = {}
    for key, value, name in environment.values(environ, keys()):
        _put(values, key, value)
        said_in[key] = f"in the environment variable {name}"
    for key, value in (overrides or {}).items():
        if value is not None:
            _put(values, key, value)
            said_in[key] = "on the command line"
    values.setdefault("root", default_root(environ))
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_sentence(error, said_in, f"in {path}" if path else "by default")) from None


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration file {path}; make one or name another with --config") from None
    except OSError as error:
        raise ConfigError(f"the configuration {path} cannot be read ({error.strerror}); check its mode") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text at byte {error.start}; a configuration is TOML") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}; mend that line") from None


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *tables, last = key.split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise ConfigError(f"{table} is not a table, but {key} belongs into it; write [{table}]")
    values[last] = value


def _sentence(error: ValidationError, said_in: Mapping[str, str], otherwise: str) -> str:
    first = error.errors(include_url=False)[0]
    place = [part for part in first["loc"] if isinstance(part, str)]
    known = keys()
    # the longest known key that the place starts with: unions and lists add parts of their own behind it
    key = next((k for n in range(len(place), 0, -1) if (k := ".".join(place[:n])) in known), ".".join(place))
    where = said_in.get(key, otherwise)
    if first["type"] == "extra_forbidden" and ".".join(place) not in known:
        near = difflib.get_close_matches(".".join(place), [*known, *Config.model_fields], 1)
        mend = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(known)}"
        return f"unknown key {'.'.join(place)} {where}; {mend}"
    description = known[key].description if key in known else "a table, written as [" + key + "]"
    # pydantic's own reasons repeat the description in programmers' words; those of the validators above do not
    reason = f" ({first['msg'].removeprefix('Value error, ')})" if first["type"] == "value_error" else ""
    return f"{key} = {_shown(first['input'])} {where} is not valid{reason}; say {description}"


def _shown(value: Any) -> str:
    if isinstance(value, _Table):
        value = value.model_dump(exclude_none=True)
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
