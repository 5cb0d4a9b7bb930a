"""What a VPS's own kernel counts of its TCP connections to NFS servers.

    python3 guest/sockets.py FILE      in the VPS's network namespace, until SIGTERM

FILE gets a line of JSON for each connection that has ended (the server's address, bytes sent and received), and at the
end one for each that still lives, as ss(8) tells of it.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from nasacct.collect.connections import messages, of_message

PORT = 2049
_SOCK_DIAG, _SOL_NETLINK, _ADD_MEMBERSHIP, _TCP_ENDS = 4, 270, 1, 1


def watch(file: Path) -> None:
    """Write every end, until SIGTERM; then what still lives."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as sock, file.open("w", encoding="utf-8") as out:
        sock.bind((0, 0))
        sock.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _TCP_ENDS)
        sock.settimeout(0.5)
        print("up", flush=True)
        while signal.SIGTERM not in signal.sigpending():
            try:
                data = sock.recv(1 << 16)
            except TimeoutError:
                continue
            for _kind, _flags, _seq, body in messages(data):
                found = of_message(body)
                if found is None:
                    continue
                (port,) = struct.unpack_from(">H", found.id, 2)
                if port == PORT:
                    server = socket.inet_ntop(socket.AF_INET, found.id[20:24])
                    _say(out, server, found.sent, found.received, lives=False)
        for server, sent, received in living():
            _say(out, server, sent, received, lives=True)


def living() -> list[tuple[str, int, int]]:
    """The connections to NFS servers that there are: address, bytes sent (and acknowledged) and received."""
    text = subprocess.run(
        ["ss", "-Htin", "dport", "=", f":{PORT}"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    found = []
    for head, about in zip(*[iter(text.splitlines())] * 2, strict=True):
        server = head.split()[4].rpartition(":")[0]
        numbers = dict(re.findall(r"\b(bytes_acked|bytes_received):(\d+)", about))
        found.append((server, int(numbers.get("bytes_acked", 0)), int(numbers.get("bytes_received", 0))))
    return found


def _say(out, server: str, sent: int, received: int, *, lives: bool) -> None:
    out.write(json.dumps({"server": server, "sent": sent, "received": received, "lives": lives}) + "\n")
    out.flush()


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
