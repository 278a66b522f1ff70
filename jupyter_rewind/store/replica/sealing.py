"""Encryption of what goes to a replica: whoever may read the bucket reads sizes and times, no more.

Each object is AES-256-GCM under a key that is derived from the store's own, with a nonce of its
own, and bound to the replica and to its name: it cannot be read, changed, or put in another's
place without the store's key. Packs are named by a keyed digest, lest a name tell whether somebody
has a file that is known elsewhere. `rewind-replica` alone stays readable; it holds no contents.

    sealed object, little-endian (format 1):
    head        4s H      AB 4A 52 45, format
    nonce       12 bytes
    ciphertext  as long as the plain text
    tag         16 bytes  over the ciphertext, the head, the replica's id and the object's name
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from blake3 import blake3

from jupyter_rewind import clock
from jupyter_rewind.errors import Integrity, InvalidInput
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.objects import Listed, Objects

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

METHOD = "aes-256-gcm"
_FORMAT = 1
_MAGIC = b"\xabJRE"
_HEAD = struct.Struct("<4sH")
_NONCE_SIZE = 12
OVERHEAD = _HEAD.size + _NONCE_SIZE + 16
_CONTENTS = "jupyter-rewind replica contents, version 1"
_NAMES = "jupyter-rewind replica names, version 1"


class SealedObjects:
    """Objects of another place, in a form that only the store's key opens."""

    def __init__(self, objects: Objects, layout: Layout, replica: str) -> None:
        secret = layout.key + f"{layout.store_id}\0{replica}".encode()
        self.naming_key = blake3(secret, derive_key_context=_NAMES).digest(32)
        self._cipher = _make_cipher(blake3(secret, derive_key_context=_CONTENTS).digest(32))
        self._objects = objects
        self._replica = replica

    @property
    def place(self) -> str:
        return self._objects.place

    def create(self, key: str, data: bytes) -> bool:
        head, nonce = _HEAD.pack(_MAGIC, _FORMAT), clock.token(_NONCE_SIZE)
        sealed = self._cipher.encrypt(nonce, data, self._bound(head, key))
        return self._objects.create(key, head + nonce + sealed)

    def get(self, key: str) -> bytes:
        data = self._objects.get(key)
        head, rest = data[: _HEAD.size], data[_HEAD.size :]
        # Another format than this would stand in `rewind-replica`, too.
        if len(data) < OVERHEAD or head != _HEAD.pack(_MAGIC, _FORMAT):
            raise self._refused(key)
        from cryptography.exceptions import InvalidTag

        try:
            nonce, sealed = rest[:_NONCE_SIZE], memoryview(rest)[_NONCE_SIZE:]
            return self._cipher.decrypt(nonce, sealed, self._bound(head, key))
        except InvalidTag as error:
            raise self._refused(key) from error

    def get_range(self, key: str, start: int, end: int) -> bytes:
        return self.get(key)[start:end]

    def size(self, key: str) -> int | None:
        size = self._objects.size(key)
        return None if size is None else max(size - OVERHEAD, 0)

    def find(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        for each in self._objects.find(prefix, after=after):
            yield Listed(each.key, max(each.size - OVERHEAD, 0))

    def folders(self, prefix: str) -> list[str]:
        return self._objects.folders(prefix)

    def delete(self, key: str) -> None:
        self._objects.delete(key)

    def _bound(self, head: bytes, key: str) -> bytes:
        return head + f"{self._replica}\0{key}".encode()

    def _refused(self, key: str) -> Integrity:
        return Integrity(
            f"{key} of the replica {self.place} is damaged, or was not encrypted with this store's"
            " key.",
            hint="Nothing was changed. `jupyter rewind replica verify` shows all that is damaged.",
        )


def naming_key(objects: Objects) -> bytes | None:
    """What packs are named with; None where the replica is not encrypted."""
    return objects.naming_key if isinstance(objects, SealedObjects) else None


def require_library() -> None:
    """Raises InvalidInput, with the way to install it, where nothing can be encrypted here."""
    try:
        import cryptography.hazmat.primitives.ciphers.aead
    except ImportError as error:
        raise InvalidInput(
            "An encrypted replica needs cryptography, which is not installed here.",
            hint="Install it with `pip install 'jupyter-rewind[replica]'`.",
        ) from error
    del cryptography


def _make_cipher(key: bytes) -> AESGCM:
    require_library()
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)
