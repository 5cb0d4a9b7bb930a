"""The configuration: file, environment, command line, and the sentence for every mistake."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from nasacct.config import ConfigError, load
from nasacct.config.environment import variable
from nasacct.config.tables import SYSTEM_ROOT, default_root, keys

SHIPPED = Path(__file__).parents[2] / "deploy" / "nasacct.toml"


def config(tmp_path, toml="", environ=None, **overrides):
    path = tmp_path / "nasacct.toml"
    path.write_text(toml)
    return load(path, environ or {}, overrides)


def sentence(tmp_path, toml="", environ=None, **overrides):
    with pytest.raises(ConfigError) as told:
        config(tmp_path, toml, environ, **overrides)
    assert "\n" not in told.value.sentence
    assert told.value.status == 78
    return told.value.sentence


def test_nothing_said_is_the_default(tmp_path):
    """An empty file gives every default; the node is this host."""
    found = config(tmp_path)
    assert (found.interval_s, found.zone, found.reader_group) == (10, "Europe/Prague", None)
    assert found.servers.exportfs == Path("/run/osctl/exportfs")
    assert found.node == Path("/proc/sys/kernel/hostname").read_text().strip()


def test_command_line_beats_environment_beats_file(tmp_path):
    """The nearest to the person wins; what was not said on the command line (None) does not."""
    toml = "interval_s = 20\nzone = 'UTC'\nnode = 'file'\n"
    found = config(tmp_path, toml, {"NASACCT_INTERVAL_S": "30", "NASACCT_ZONE": "Asia/Tokyo"}, interval_s=40, zone=None)
    assert (found.interval_s, found.zone, found.node) == (40, "Asia/Tokyo", "file")


#: What has no default that could be shown.
UNSAID = {"mountpoint", "reader_group", "servers.static", "vpsadmin.url", "vpsadmin.token_file"}


def test_shipped_file_shows_every_key_with_its_default(tmp_path):
    """deploy/nasacct.toml is valid as it stands, and with every comment sign in front of a key taken away."""
    text = SHIPPED.read_text()
    assert config(tmp_path, text) == config(tmp_path)
    shown = re.sub(r"^#(?=\w+ = )", "", text, flags=re.MULTILINE)
    tables = tomllib.loads(shown)
    named = {
        f"{k}.{n}" if isinstance(v, dict) else k for k, v in tables.items() for n in (v if isinstance(v, dict) else [0])
    }
    assert named == set(keys())
    for key, field in keys().items():
        if field.default_factory is None and key not in UNSAID:
            table, _, name = key.rpartition(".")
            said = (tables[table] if table else tables)[name]
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            assert said == (str(default) if isinstance(default, Path) else default)
    config(tmp_path, shown)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("NASACCT_INTERVAL_S", "2.5", 2.5),
        ("NASACCT_NODE", "123", "123"),
        ("NASACCT_SERVERS__EXPORTFS", "/srv/exportfs", Path("/srv/exportfs")),
        ("NASACCT_SERVERS__EXPORTFS", "", None),
        ("NASACCT_SERVERS__NAMESPACES", "no", False),
        ("NASACCT_DISKS__INCLUDE", "sd*, nvme*", ("sd*", "nvme*")),
        ("NASACCT_DISKS__INCLUDE", '["sd[a-c]"]', ("sd[a-c]",)),
        ("NASACCT_DISKS__INCLUDE", "", ()),
        ("NASACCT_STORE__RING_MIB", "64", 64),
        ("NASACCT_SOURCES__ENABLED", "nfsd,links", ("nfsd", "links")),
    ],
)
def test_every_key_is_an_environment_variable(tmp_path, name, text, value):
    """Tables are nested by two underscores; lists are JSON or separated by commas."""
    found = config(tmp_path, "", {name: text})
    for part in name.removeprefix("NASACCT_").lower().split("__"):
        found = getattr(found, part)
    assert found == value
    assert name in map(variable, keys())


def test_static_servers_come_from_both(tmp_path):
    """A list of tables in TOML and as JSON in the environment."""
    toml = '[[servers.static]]\nname = "a"\nnamespace = "/run/netns/a"\nlink = "veth-a"\n'
    assert config(tmp_path, toml).servers.static[0].link == "veth-a"
    environ = {"NASACCT_SERVERS__STATIC": '[{"name": "b", "pid": 7}]'}
    assert config(tmp_path, toml, environ).servers.static[0].pid == 7


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("interval_s = 0.5", ["interval_s = 0.5", "nasacct.toml", "1 to 300"]),
        ("interval_s = 301", ["interval_s = 301", "1 to 300"]),
        ("interval_s = '10'", ['interval_s = "10"', "a number"]),
        ("interval_s = true", ["interval_s = true"]),
        ("interval_s = nan", ["interval_s = NaN"]),
        ("zone = 'Europe/Brag'", ['zone = "Europe/Brag"', "tzdata"]),
        ("zone = '../../etc/passwd'", ["zone"]),
        ("node = 'a/b'", ['node = "a/b"', "letters"]),
        ("node = '..'", ['node = ".."']),
        ("root = ''", ['root = ""', "empty"]),
        ("root = 3", ["root = 3", "path"]),
        ("servers = 3", ["servers = 3", "[servers]"]),
        ("[servers]\nexportsf = '/x'", ["servers.exportsf", "did you mean servers.exportfs?"]),
        ("intervall_s = 10", ["intervall_s", "did you mean interval_s?"]),
        ("[servers]\ncounter = '../stat'", ["servers.counter"]),
        ("[servers]\nstatic = [{name = 'a'}]", ["servers.static", "pid or namespace"]),
        ("[servers]\nstatic = [{name = 'a', pid = 1, namespace = 'x'}]", ["pid or namespace"]),
        ("[sources]\nenabled = ['nfsd', 'foo']", ["sources.enabled", '"foo"', "links"]),
        ("[store]\njournal_minutes = 15.5", ["store.journal_minutes = 15.5", "whole number"]),
        ("a = 1\n[store\n", ["nasacct.toml", "TOML", "line"]),
    ],
)
def test_mistake_in_the_file_names_key_value_and_mend(tmp_path, toml, words):
    """One sentence: which key, what was said, where, what would be right."""
    told = sentence(tmp_path, toml)
    assert all(word in told for word in words), told


def test_mistake_elsewhere_names_its_place(tmp_path):
    """The environment variable or the command line is named when the value came from there."""
    assert "NASACCT_INTERVAL_S" in sentence(tmp_path, "interval_s = 5", {"NASACCT_INTERVAL_S": "soon"})
    assert "on the command line" in sentence(tmp_path, "interval_s = 5", {}, interval_s=0.5)
    assert "NASACCT_SERVERS__STATIC" in sentence(tmp_path, "", {"NASACCT_SERVERS__STATIC": "[{"})


def test_misspelt_variable_is_an_error_and_a_foreign_one_is_not(tmp_path):
    """A variable that is nearly a key would otherwise be ignored in silence."""
    assert "NASACCT_INTERVAL_S?" in sentence(tmp_path, "", {"NASACCT_INTERVALL_S": "5"})
    config(tmp_path, "", {"NASACCT_LAB_KERNEL": "6.12", "NASACCT_NO_SKIP": "1"})


def test_file_that_cannot_be_read_is_told(tmp_path):
    """Missing, a directory, not text: a sentence each; the variable NASACCT_CONFIG names a file too."""
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigError, match=re.escape(str(path))):
            load(path, {})
    (tmp_path / "latin.toml").write_bytes(b"node = '\xe9'")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(None, {"NASACCT_CONFIG": str(tmp_path / "latin.toml")})


def test_default_root_is_the_systems_or_the_users(monkeypatch):
    """/var/lib/nasacct as root; else below XDG_DATA_HOME when that is absolute, as the specification demands."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_root({"XDG_DATA_HOME": "/data"}) == SYSTEM_ROOT
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert default_root({"XDG_DATA_HOME": "/data"}) == Path("/data/nasacct")
    assert default_root({"XDG_DATA_HOME": "data"}) == Path.home() / ".local/share/nasacct"


def test_root_is_absolute(tmp_path, monkeypatch):
    """A relative root means the folder it was said in, also after a daemon changed its own."""
    monkeypatch.chdir(tmp_path)
    assert config(tmp_path, "", {}, root="store").root == tmp_path / "store"


def test_configuration_cannot_change(tmp_path):
    """What was checked stays as it is."""
    with pytest.raises(ValidationError):
        config(tmp_path).node = "other"
