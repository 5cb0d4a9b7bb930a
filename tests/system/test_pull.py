"""Copies of stores, pulled over a real ssh server on loopback."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from journals import Recorder
from spaces import eventually
from sshd import Sshd

from nasacct.errors import DATA, NO_INPUT, PERMISSION, TEMPORARY, UNAVAILABLE, USAGE
from nasacct.store.expiry import Rules
from nasacct.store.keep import keep
from nasacct.store.pulling.remote import store_file
from nasacct.store.schema import NFSD
from nasacct.store.tree import Tree
from nasacct.store.warehouse import Warehouse

pytestmark = pytest.mark.system
DAYS = {"readings": 40, "usage": 400}
KEPT = Rules(DAYS, grace_s=1e12)
AT_ONCE = Rules(DAYS, grace_s=-1e12)
ASKED = (
    "SELECT server, max(epoch_us(t1))::BIGINT AS until, sum(read_bytes)::BIGINT AS m FROM nfsd GROUP BY ALL ORDER BY 1"
)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    """One ssh server for all of these tests."""
    server = Sshd(tmp_path_factory.mktemp("ssh") / "d")
    yield server
    server.close()


def made(root, node="nas1", cycles=100, servers=3, start="2026-10-05T10:00:00+00:00"):
    """A store with a journal file every 40 cycles, of which the closed ones are segments."""
    recorder = Recorder(root, node=node, start=start)
    things = [recorder.thing("nfsd", server=f"srv{i}") for i in range(servers)]
    dice = random.Random(7)
    total = dict.fromkeys(things, 0)
    for i in range(cycles):
        if i % 40 == 0:
            recorder.rotate()
        total = {thing: n + dice.randrange(1 << 40) for thing, n in total.items()}
        recorder.cycle({thing: {"read_bytes": n} for thing, n in total.items()})
    assert keep(Tree(root, node), time.time(), KEPT) == 0
    return recorder


def command(*arguments):
    """The command line of `nasacct pull` with these arguments, and an environment without a configuration."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("NASACCT_")}
    return [sys.executable, "-m", "nasacct", "pull", *map(str, arguments)], {**environ, "NASACCT_CONFIG": "/dev/null"}


def pull(*arguments, env=None):
    """Run `nasacct pull` to its end: its status, and what it said."""
    line, environ = command(*arguments)
    done = subprocess.run(
        line, env=environ | (env or {}), capture_output=True, text=True, check=False, timeout=120, cwd=Path.cwd()
    )
    return done.returncode, done.stdout, done.stderr


def files(root):
    """The files of a store that a copy has, with their content."""
    paths = ((str(p.relative_to(root)), p) for p in root.rglob("*") if p.is_file())
    return {name: p.read_bytes() for name, p in paths if store_file(name)}


def asked(root):
    """What a store answers."""
    return Warehouse(root).query(ASKED, views=["nfsd"]).to_pylist()


def test_pull_over_ssh_with_a_key_that_may_only_read(tmp_path, sshd):
    """Two nodes come into one copy through rrsync -ro; it answers as they do; a second pull brings nothing."""
    for node in ("nas1", "nas2"):
        made(tmp_path / node, node)
        ssh = sshd.read_only(f"{tmp_path.name}-{node}", tmp_path / node)
        arguments = ("127.0.0.1:/", "--root", tmp_path / "copy", "--ssh", ssh, "--volatile", "--node", node)
        status, said, error = pull(*arguments)
        assert (status, error) == (0, "")
        assert said.startswith(f"pulled {node} from 127.0.0.1:/: ")
        assert pull(*arguments)[1] == f"pulled {node} from 127.0.0.1:/: 0 files, 0 B\n"
    assert files(tmp_path / "copy") == files(tmp_path / "nas1") | files(tmp_path / "nas2")
    both = [r for node in ("nas1", "nas2") for r in asked(tmp_path / node)]
    mine = [
        r
        for node in ("nas1", "nas2")
        for r in Warehouse(tmp_path / "copy", node).query(ASKED, views=["nfsd"]).to_pylist()
    ]
    assert mine == both


def test_read_only_key_writes_nothing(tmp_path, sshd):
    """What docs/operations.md puts into authorized_keys refuses to be written to."""
    made(tmp_path / "source", cycles=3)
    before = files(tmp_path / "source")
    ssh = sshd.read_only(f"{tmp_path.name}-ro", tmp_path / "source")
    done = subprocess.run(
        ["rsync", "-r", f"--rsh={ssh}", __file__, "127.0.0.1:/"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "read-only" in done.stderr or "not allowed" in done.stderr
    assert files(tmp_path / "source") == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_interrupted_pull_goes_on(tmp_path, sshd, number):
    """Ended in the middle of a segment: no reader sees a part of it, and the next pull only fetches the rest."""
    recorder = Recorder(tmp_path / "source", start="2026-10-05T10:00:00+00:00")
    things = [recorder.thing("nfsd", server=f"srv{i}") for i in range(40)]
    dice = random.Random(7)
    for i in range(150):
        recorder.cycle({t: {m.name: dice.randrange(1 << 50) + (i << 50) for m in NFSD.measures} for t in things})
    recorder.rotate()
    recorder.cycle({})
    assert keep(Tree(tmp_path / "source", "nas1"), time.time(), AT_ONCE) == 0
    big = max((p for p in (tmp_path / "source").rglob("*.parquet")), key=lambda p: p.stat().st_size)
    assert big.stat().st_size > 600_000
    staged = tmp_path / "copy" / ".pull" / big.relative_to(tmp_path / "source")
    where = (f"127.0.0.1:{tmp_path}/source", "--root", tmp_path / "copy", "--ssh", sshd.ssh, "--volatile")
    line, environ = command(*where, "--limit", 200)
    process = subprocess.Popen(line, env=environ, start_new_session=True, stderr=subprocess.PIPE)
    try:
        eventually(lambda: staged.exists() and 0 < staged.stat().st_size < big.stat().st_size, 60)
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        assert process.wait(30) == {signal.SIGKILL: -9, signal.SIGTERM: 130}[number]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()
    begun = staged.stat()
    assert 0 < begun.st_size < big.stat().st_size
    assert asked(tmp_path / "copy") == []
    assert files(tmp_path / "copy") == {}
    assert pull(*where)[0] == 0
    assert (tmp_path / "copy" / big.relative_to(tmp_path / "source")).stat().st_ino == begun.st_ino
    assert files(tmp_path / "copy") == files(tmp_path / "source")
    assert asked(tmp_path / "copy") == asked(tmp_path / "source")


def test_copy_follows_a_node(tmp_path, sshd, record_property):
    """With --every 1s the newest cycle is in the copy a moment later, also while segments take their time."""
    recorder = Recorder(tmp_path / "source", start=datetime.now(UTC).isoformat(), interval_s=1)
    server = recorder.thing("nfsd", server="srv1")
    cycles = 0

    def cycle():
        nonlocal cycles
        recorder.cycle({server: {"read_bytes": 1000 * cycles}}, seconds=time.time() - recorder.now.wall_ns / 1e9)
        cycles += 1

    cycle()
    where = (f"127.0.0.1:{tmp_path}/source", "--root", tmp_path / "copy", "--ssh", sshd.ssh, "--volatile")
    line, environ = command(*where, "--every", "1s", "--limit", 5)
    process = subprocess.Popen(line, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        eventually((tmp_path / "copy" / "store.json").exists, 60)
        copy = Warehouse(tmp_path / "copy")
        lags = []
        for i in range(9):
            if i == 3:
                recorder.rotate()
            if i == 5:
                # a history turns up, which at 5 KiB/s takes longer than this test
                old = made(tmp_path / "old", cycles=300, servers=60)
                for path in old.root.rglob("node=nas1/*/*/*.parquet"):
                    target = tmp_path / "source" / path.relative_to(old.root)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    path.rename(target)
                eventually(lambda: list((tmp_path / "copy" / ".pull").rglob("*.parquet")), 60)
            cycle()
            written = time.monotonic()

            def arrived():
                rows = copy.query(ASKED, views=["nfsd"]).to_pylist()
                # usage is in whole ms
                return any(r["server"] == "srv1" and r["until"] > recorder.now.wall_ns // 1000 - 1000 for r in rows)

            eventually(arrived, 30)
            lags.append(time.monotonic() - written)
        assert list((tmp_path / "copy" / ".pull").rglob("*.parquet"))
        record_property("told", f"newest cycle in the copy after {sorted(lags)[4]:.1f} s (most: {max(lags):.1f} s)")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    # the history that had not arrived does so with the next pull
    assert pull(*where)[0] == 0
    assert files(tmp_path / "copy") == files(tmp_path / "source")


def test_outage_is_told_once_and_ends_by_itself(tmp_path, sshd):
    """With --every, a source that is away is told in one line, tried again, and told when it is back."""
    made(tmp_path / "source", cycles=3)
    where = (f"127.0.0.1:{tmp_path}/source", "--root", tmp_path / "copy", "--ssh", sshd.ssh, "--volatile")
    (tmp_path / "source").rename(tmp_path / "away")
    line, environ = command(*where, "--every", "1s")
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(line, env=environ, stderr=log)
    try:
        eventually(lambda: "is not there; check the host and the path" in (tmp_path / "log").read_text(), 60)
        (tmp_path / "away").rename(tmp_path / "source")
        eventually(lambda: "is copied again" in (tmp_path / "log").read_text(), 60)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "log").read_text().count("is not there") == 1
    assert files(tmp_path / "copy") == files(tmp_path / "source")


def free_port():
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_every_failure_is_one_sentence(tmp_path, sshd):
    """Wrong host, path or key, no rsync, a newer store: what, where and the mend, its status, and no copied file."""
    made(tmp_path / "source", cycles=3)
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / "store.json").write_text('{"nasacct_store": 2}\n')
    (tmp_path / "empty").mkdir()
    right = f"127.0.0.1:{tmp_path}/source"
    refused = sshd.command("refused")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", sshd.folder / "refused"], check=True)
    without = sshd.allow("without", "exec nosuchrsync")
    noisy = sshd.allow("noisy", "echo hello; exec rsync --server --sender -e.LsfxCIvu . /")
    stranger = sshd.command("anything", known="/dev/null")
    cases = [
        (right, f"ssh -F none -p {free_port()}", UNAVAILABLE, "127.0.0.1 cannot be reached: ssh: connect to host"),
        ("nowhere.invalid:/x", sshd.ssh, UNAVAILABLE, "nowhere.invalid cannot be reached: ssh: Could not resolve"),
        (f"127.0.0.1:{tmp_path}/nope", sshd.ssh, NO_INPUT, "nope is not there; check the host and the path behind"),
        (f"127.0.0.1:{tmp_path}/empty", sshd.ssh, NO_INPUT, "empty holds no store; check the path behind the colon"),
        (f"{tmp_path}/nope", sshd.ssh, NO_INPUT, "nope is not there; check the host and the path"),
        (right, refused, PERMISSION, "127.0.0.1 refused this user's key; put the public key into its authorized_keys"),
        (right, stranger, PERMISSION, "127.0.0.1 is not the host that was known, or not known yet; connect once"),
        (right, without, UNAVAILABLE, "127.0.0.1 has no rsync; install it there"),
        (right, noisy, UNAVAILABLE, "127.0.0.1 prints something before rsync starts; end that in"),
        (right, "nosuchssh", UNAVAILABLE, "the command of --ssh is not there; install ssh, or name another one"),
        (f"127.0.0.1:{tmp_path}/newer", sshd.ssh, DATA, "has version 2, this nasacct knows versions up to 1; update"),
        ("host:", sshd.ssh, USAGE, "names no store; write it as HOST:ROOT"),
    ]
    failed = []
    for source, ssh, status, sentence in cases:
        got = pull(source, "--root", tmp_path / "copy", "--ssh", ssh, "--volatile")
        if got[0] != status or sentence not in got[2] or got[2].count("\n") != 1:
            failed.append((source, ssh, status, sentence, got))
    assert failed == []
    assert files(tmp_path / "copy") == {}
    got = pull(right, "--root", tmp_path / "copy", "--volatile", env={"PATH": str(tmp_path)})
    assert got[0] == UNAVAILABLE
    assert "rsync is not installed here; install it" in got[2]


def test_unreadable_source_is_told(tmp_path, sshd):
    """A folder that the key's user may not read is named; nothing counts as copied."""
    with tempfile.TemporaryDirectory(prefix="nasacct-test-") as open_to_all:
        source = Path(open_to_all) / "source"
        made(source, cycles=50)
        Path(open_to_all).chmod(0o755)
        (source / "node=nas1" / "usage").chmod(0o700)
        nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups"
        ssh = sshd.allow("nobody", f"{nobody} /usr/bin/rrsync -ro {source}")
        status, _, error = pull("127.0.0.1:/", "--root", tmp_path / "copy", "--ssh", ssh, "--volatile")
    assert status == PERMISSION
    assert re.search(r"127.0.0.1:/ may not be read: .* Permission denied .*; let the key's user read it", error)
    assert files(tmp_path / "copy") == {}


def test_second_pull_is_refused(tmp_path, sshd):
    """While one pull holds the copy's tree, another one ends with the first one's pid."""
    made(tmp_path / "source", cycles=3)
    where = (f"127.0.0.1:{tmp_path}/source", "--root", tmp_path / "copy", "--ssh", sshd.ssh, "--volatile")
    line, environ = command(*where, "--every", "1h")
    process = subprocess.Popen(line, env=environ, stderr=subprocess.DEVNULL)
    try:
        eventually((tmp_path / "copy" / "node=nas1" / "journal").is_dir, 60)
        status, _, error = pull(*where)
        assert status == TEMPORARY
        assert f"`nasacct pull` already runs on {tmp_path}/copy/node=nas1: pid {process.pid} on" in error
    finally:
        process.terminate()
        assert process.wait(30) == 0
