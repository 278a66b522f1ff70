"""When a file came to be: what tells it from another that was given its freed inode.

Python tells it on macOS and Windows; on Linux the C library is asked. It refuses to guess: None
where the system or the file system does not know.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable
from functools import lru_cache

_EMPTY_PATH = 0x1000
_BIRTH = 0x800
_MASK_AT, _BIRTH_AT, _SIZE = 0, 80, 256
_Ask = Callable[[int], int | None]


def read_birth(descriptor: int, status: os.stat_result) -> int | None:
    """Nanoseconds since 1970 at which the open file was made; None where nobody knows."""
    told = getattr(status, "st_birthtime_ns", None)
    if told is None and (seconds := getattr(status, "st_birthtime", None)) is not None:
        told = int(seconds * 1_000_000_000)
    if told is None and sys.platform == "linux":
        told = _asker()(descriptor)
    return told


@lru_cache(maxsize=1)
def _asker() -> _Ask:
    import ctypes

    try:
        statx = ctypes.CDLL(None).statx
    except (AttributeError, OSError):
        return lambda _: None

    def ask(descriptor: int) -> int | None:
        buffer = ctypes.create_string_buffer(_SIZE)
        if statx(descriptor, b"", _EMPTY_PATH, _BIRTH, buffer) != 0:
            return None
        (mask,) = struct.unpack_from("=I", buffer, _MASK_AT)
        seconds, nanoseconds = struct.unpack_from("=qI", buffer, _BIRTH_AT)
        return int(seconds * 1_000_000_000 + nanoseconds) if mask & _BIRTH else None

    return ask
