"""Ids of client addresses: what the store calls a client, so that its files say nothing of where somebody is.

    ROOT/node=N/address.key      32 random bytes, for the collector alone

An id is the first 16 hexadecimal digits of HMAC-SHA256 over the packed address (4 or 16 bytes): the same for ever on
one node, another one on the next. Nobody can tell whose it is without the key, or with it but by trying every address.
A path, and what stands for several addresses, has one as well, over `no single address: ` and the text.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from ipaddress import ip_address
from typing import TYPE_CHECKING

from nasacct.errors import DATA, NasacctError, of_os
from nasacct.store.root import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

#: The key's name, its length in bytes, and how many digits of the digest are an id.
KEY, _LENGTH, _DIGITS = "address.key", 32, 16
#: Before what is no address: longer than one.
_OTHER = b"no single address: "


def make_key(tree: Path) -> None:
    """Make the key of a node's tree, unless there is one. NasacctError when it cannot be written, or is none."""
    path = tree / KEY
    try:
        if not path.exists():
            write_atomically(path, secrets.token_bytes(_LENGTH))
            path.chmod(0o600)
        length = path.stat().st_size
    except OSError as error:
        raise of_os(error, f"making the key of addresses {path}") from error
    if length != _LENGTH:
        mend = "bring it back from a copy, or remove it: then clients get new ids"
        raise NasacctError(f"{path} is no key of {_LENGTH} bytes; {mend}", DATA)


class ClientIds:
    """Gives every address its id, by the key of the node's tree; by one that is forgotten where there is none."""

    def __init__(self, tree: Path) -> None:
        try:
            self._key = (tree / KEY).read_bytes()
        except FileNotFoundError:
            self._key = secrets.token_bytes(_LENGTH)
        except OSError as error:
            raise of_os(error, f"reading the key of addresses {tree / KEY}") from error
        self._known: dict[str, str] = {}

    def __call__(self, address: str) -> str:
        """The id of an address, as people write it. ValueError when it is none."""
        known = self._known.get(address)
        if known is None:
            known = self._known[address] = self._digest(ip_address(address).packed)
        return known

    def of_text(self, text: str) -> str:
        """The id of a text, which no address has."""
        return self._digest(_OTHER + text.encode("utf-8", "surrogateescape"))

    def _digest(self, content: bytes) -> str:
        return hmac.new(self._key, content, hashlib.sha256).hexdigest()[:_DIGITS]
