"""What `nasacct doctor` says of other processes."""

from processes import Proc
from zfs import Clock

from nasacct.collect.local_finding import look
from nasacct.collect.machine import Listing
from nasacct.config.tables import Config, Sources

ON = Config(sources=Sources(enabled=("local",)))


def test_it_is_tried_where_it_is_on(tmp_path):
    """Without /proc it is missing; off, it says how to have it."""
    Proc(tmp_path).process(10, "rsync")
    found = look(ON, Clock(), Listing(()), str(tmp_path))
    assert (found.state, found.found.startswith("1 processes, looked at in ")) == ("ok", True)
    assert look(ON, Clock(), Listing(()), str(tmp_path / "none")).mend == "mount /proc"
    off = look(Config(), Clock(), Listing(()))
    assert (off.state, off.found) == ("note", "not collected")
    assert "name local in sources.enabled" in off.mend
