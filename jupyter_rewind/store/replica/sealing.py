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

from blake3 import blake3

from jupyter_rewind import clock
from jupyter_rewind.errors import Integrity, InvalidInput
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.objects import Listed, Objects

METHOD = "aes-256-gcm"
_FORMAT = 1
_MAGIC = b"\xabJRE"
_HEAD = struct.Struct("<4sH")
_THIS_FORMAT = _HEAD.pack(_MAGIC, _FORMAT)
_NONCE_SIZE, _TAG_SIZE = 12, 16
_START = _HEAD.size + _NONCE_SIZE
OVERHEAD = _START + _TAG_SIZE
_CONTENTS = "jupyter-rewind replica contents, version 1"
_NAMES = "jupyter-rewind replica names, version 1"


class SealedObjects:
    """Objects of another place, in a form that only the store's key opens."""

    def __init__(self, objects: Objects, layout: Layout, replica: str) -> None:
        secret = layout.key + f"{layout.store_id}\0{replica}".encode()
        self.naming_key = blake3(secret, derive_key_context=_NAMES).digest(32)
        require_library()
        self._key = blake3(secret, derive_key_context=_CONTENTS).digest(32)
        self._objects = objects
        self._replica = replica

    @property
    def place(self) -> str:
        return self._objects.place

    def create(self, key: str, data: bytes | bytearray) -> bool:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        nonce = clock.token(_NONCE_SIZE)
        work = Cipher(algorithms.AES(self._key), modes.GCM(nonce)).encryptor()
        work.authenticate_additional_data(self._bound(key))
        # In its place at once: joined from parts, a pack takes more time than to encrypt it.
        sealed = bytearray(len(data) + OVERHEAD)
        sealed[:_START] = _THIS_FORMAT + nonce
        with memoryview(sealed) as room:
            work.update_into(data, room[_START:])
            work.finalize()
        sealed[-_TAG_SIZE:] = work.tag
        return self._objects.create(key, sealed)

    def get(self, key: str) -> bytes:
        data = memoryview(self._objects.get(key))
        # Another format than this would stand in `rewind-replica`, too.
        if len(data) < OVERHEAD or data[: _HEAD.size] != _THIS_FORMAT:
            raise self._refused(key)
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            nonce, sealed = bytes(data[_HEAD.size : _START]), data[_START:]
            return AESGCM(self._key).decrypt(nonce, sealed, self._bound(key))
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

    def _bound(self, key: str) -> bytes:
        return _THIS_FORMAT + f"{self._replica}\0{key}".encode()

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
            hint='Install it with `pip install "jupyter-rewind[replica]"`.',
        ) from error
    del cryptography
