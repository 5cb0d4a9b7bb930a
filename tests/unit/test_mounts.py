"""Which file system a path lies on; in the form of the machines they are named after."""

from pathlib import Path

import pytest

from nasacct.store.mounts import forgets, mount_of, mounts

FIXTURES = Path(__file__).parents[1] / "fixtures" / "mountinfo"


def table(name):
    return mounts((FIXTURES / name).read_text())


@pytest.mark.parametrize(
    ("name", "path", "point", "why"),
    [
        ("vpsadminos", "/var/lib/nasacct", "/", "a tmpfs"),
        ("vpsadminos", "/run/osctl/exportfs", "/run", "a tmpfs"),
        ("vpsadminos", "/tank/nasacct", "/tank", None),
        ("vpsadminos", "/tankard", "/", "a tmpfs"),
        ("vpsadminos", "/tank/with space/x", "/tank/with space", None),
        ("debian", "/var/lib/nasacct", "/", None),
        ("debian", "/dev/shm/x", "/dev/shm", "a tmpfs"),
        ("debian", "/mnt/again/x", "/mnt/again", "a ramfs"),
        ("live", "/var/lib/nasacct", "/", "an overlay on a tmpfs"),
        ("container", "/var/lib/nasacct", "/", None),
    ],
)
def test_store_is_kept_or_lost_by_its_mount(name, path, point, why):
    """The longest mount point above the path decides, the latest of several at one place; overlays by their upper."""
    among = table(name)
    assert mount_of(Path(path), among).point == Path(point)
    assert forgets(Path(path), among) == why


def test_path_is_followed_to_where_it_leads(tmp_path):
    """A link into a tmpfs is on the tmpfs."""
    (tmp_path / "link").symlink_to("/dev/shm")
    assert mount_of(tmp_path / "link" / "x", mounts()).kind == "tmpfs"


def test_lines_that_are_none_are_passed_over():
    """A torn or foreign line costs only itself."""
    assert mounts("nonsense\n\n1 2 3\n25 24 0:23 / /a rw - ext4 /dev/vda rw\n")[0].source == "/dev/vda"
    assert mount_of(Path("/a"), []) is None
    assert forgets(Path("/a"), []) is None
