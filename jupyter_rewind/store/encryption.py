"""Encryption of the store itself: whoever may read its files learns sizes and times, no more.

What a record holds is AES-256-GCM under a key that is derived from the store's own, with a nonce of
its own, and bound to the record's name and form, not to its place: a copy of it stays readable. The
names of contents, which stand in the clear elsewhere, are each put through AES-256 block by block
under another derived key: the same content has the same name here, and nobody without the key can
tell whether it is one that he knows.

    payload of a record of format 2
    base        33 bytes, of differences alone: the depth, and the base's hidden name
    nonce       12 bytes
    ciphertext  as long as the payload would be (of a difference, without what stands above)
    tag         16 bytes  over the ciphertext, codec, raw size, id and base
"""

from __future__ import annotations

import functools
import struct
import threading
from typing import Any

from blake3 import blake3

from jupyter_rewind import clock
from jupyter_rewind.errors import Denied, Integrity
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.chunks import BASE_SIZE, Codec

_NONCE_SIZE, _TAG_SIZE = 12, 16
ADDED = _NONCE_SIZE + _TAG_SIZE
_CONTENTS = "jupyter-rewind store contents, version 1"
_NAMES = "jupyter-rewind store names, version 1"
_BOUND = struct.Struct("<BI32s")


class StoreCipher:
    """Hides and shows what stands in one store's segments. Thread-safe."""

    def __init__(self, key: bytes, store_id: str) -> None:
        """Raises Denied where nothing can be encrypted here."""
        require_library()
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        secret = key + store_id.encode()
        self._contents = AESGCM(blake3(secret, derive_key_context=_CONTENTS).digest(32))
        self._names = blake3(secret, derive_key_context=_NAMES).digest(32)
        self._local = threading.local()

    def hide_name(self, name: bytes) -> bytes:
        """What stands for the content's name in the clear; as long as it."""
        return bytes(self._blocks(True).update(name))

    def show_name(self, hidden: bytes) -> Digest:
        """The name that was hidden."""
        return Digest(bytes(self._blocks(False).update(hidden)))

    def hide(self, codec: int, raw: int, name: bytes, payload: bytes | memoryview) -> bytes:
        """What is stored in place of `payload`."""
        base = b""
        if codec == Codec.DELTA:
            base = bytes(payload[:1]) + self.hide_name(bytes(payload[1:BASE_SIZE]))
            payload = payload[BASE_SIZE:]
        nonce = clock.token(_NONCE_SIZE)
        bound = _BOUND.pack(codec, raw, name) + base
        return base + nonce + self._contents.encrypt(nonce, payload, bound)

    def show(self, codec: int, raw: int, name: bytes, stored: bytes | memoryview) -> bytes:
        """The payload that was hidden. Raises Integrity."""
        from cryptography.exceptions import InvalidTag

        at = BASE_SIZE if codec == Codec.DELTA else 0
        base, nonce = bytes(stored[:at]), bytes(stored[at : at + _NONCE_SIZE])
        if len(stored) < at + ADDED:
            raise Integrity("What is stored is too short to have been encrypted.")
        try:
            shown = self._contents.decrypt(
                nonce, stored[at + _NONCE_SIZE :], _BOUND.pack(codec, raw, name) + base
            )
        except InvalidTag as error:
            raise Integrity("Its bytes are not those that this store's key hid.") from error
        return self.show_base(base) + shown

    def show_base(self, start: bytes) -> bytes:
        """What a difference begins with, shown: the depth, and the name of its base."""
        return start[:1] + self.show_name(start[1:BASE_SIZE]) if start else b""

    def _blocks(self, hides: bool) -> Any:
        """A thread's own, for two threads cannot share one."""
        found = getattr(self._local, "blocks", None)
        if found is None:
            from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

            # Names are hashes: no two halves are alike unless the contents are.
            cipher = Cipher(algorithms.AES(self._names), modes.ECB())
            found = self._local.blocks = (cipher.encryptor(), cipher.decryptor())
        return found[0] if hides else found[1]


@functools.lru_cache(maxsize=8)
def cipher_of(key: bytes, store_id: str) -> StoreCipher:
    """The cipher of the store that has this key. Raises Denied."""
    return StoreCipher(key, store_id)


def require_library() -> None:
    """Raises Denied, with the way to install it, where nothing can be encrypted here."""
    try:
        import cryptography.hazmat.primitives.ciphers.aead
    except ImportError as error:
        raise Denied(
            "An encrypted store needs cryptography, which is not installed here.",
            code="no_cryptography",
            hint="Nothing was changed. Install it with `pip install cryptography`.",
        ) from error
    del cryptography
