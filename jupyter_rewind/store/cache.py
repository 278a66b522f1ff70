"""A bounded memory of content that is read again and again: nodes, and what deltas stand on."""

from __future__ import annotations

import threading
from collections import OrderedDict

from jupyter_rewind.model.ids import Digest

LIMIT_BYTES = 32 << 20


class RawCache:
    """Raw content by digest, at most `limit_bytes` of it; what was used longest ago goes first."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._held: OrderedDict[Digest, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: Digest) -> bytes | None:
        with self._lock:
            raw = self._held.get(digest)
            if raw is not None:
                self._held.move_to_end(digest)
            return raw

    def keep(self, digest: Digest, raw: bytes) -> None:
        """`raw` is remembered, unless it would fill more than a quarter of the room."""
        with self._lock:
            if digest in self._held or len(raw) > self._limit // 4:
                return
            self._held[digest] = raw
            self._size += len(raw)
            while self._size > self._limit:
                self._size -= len(self._held.popitem(last=False)[1])

    def clear(self) -> None:
        with self._lock:
            self._held.clear()
            self._size = 0
