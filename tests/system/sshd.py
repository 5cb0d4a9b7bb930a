"""An ssh server of the test's own, on a free port of 127.0.0.1, with its own keys and its own list of who may enter."""

import os
import pwd
import shlex
import socket
import subprocess
from pathlib import Path

from spaces import eventually

#: Where Debian's sshd wants to lock its unprivileged half up.
PRIVSEP = Path("/run/sshd")


def _key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path.with_suffix(".pub").read_text().strip()


class Sshd:
    """Runs until `close`. `ssh` is the command of a user whose key may run anything."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        folder.chmod(0o700)
        host = _key(folder / "host")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {host}\n")
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitRootLogin yes\nMaxStartups 100\n"
        )
        (folder / "authorized").write_text("")
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        PRIVSEP.mkdir(mode=0o755, exist_ok=True)
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", folder / "config"], stderr=self.log)
        eventually(self._listens)
        self.ssh = self.allow("anything")

    def _listens(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with socket.socket() as attempt:
            return attempt.connect_ex(("127.0.0.1", self.port)) == 0

    def allow(self, name, command=None):
        """The ssh command of a new key that may enter, if given only to run `command`."""
        public = _key(self.folder / name)
        with (self.folder / "authorized").open("a") as file:
            file.write(f'restrict,command="{command}" {public}\n' if command else f"{public}\n")
        return self.command(name)

    def read_only(self, name, root):
        """The ssh command of a new key that may only read the folder `root`, as docs/operations.md has it."""
        return self.allow(name, f"/usr/bin/rrsync -ro {shlex.quote(str(root))}")

    def command(self, name, known=None):
        """The ssh command with the key of that name, whether or not it may enter; `known`: which hosts are."""
        options = f"-F none -p {self.port} -i {self.folder / name} -o IdentitiesOnly=yes -o BatchMode=yes"
        return f"ssh {options} -o UserKnownHostsFile={known or self.folder / 'known'} -o ConnectTimeout=10"

    def close(self):
        """End it and its sessions."""
        self.process.terminate()
        self.process.wait()
        self.log.close()
