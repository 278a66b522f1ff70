"""Where a pod is written to: what pickle writes, without the headers of its frames."""

from __future__ import annotations

import struct
from collections.abc import Callable

_FRAME = 0x95
_PAYLOADS = {ord("B"): 4, ord("X"): 4, 0x8D: 8, 0x8E: 8, 0x96: 8}


class Sink:
    """Takes what a pickler writes, without the headers of its frames."""

    def __init__(self, check: Callable[[], None]) -> None:
        """`check` is called every 64 KB, and may raise."""
        self.parts: list[bytes] = []
        self._last = b""
        self._check = check

    def write(self, data: bytes) -> int:
        self._check()
        if type(data) is not bytes:
            data = bytes(data)
        rest = data
        if len(data) > 9 and data[0] == _FRAME and not self._announces(len(data)):
            (size,) = struct.unpack_from("<Q", data, 1)
            if size == len(data) - 9:
                rest = data[9:]
        self.parts.append(rest)
        self._last = data[-9:]
        return len(data)

    def _announces(self, size: int) -> bool:
        """True when what was written last ends by saying that a payload of `size` follows: the
        user's bytes may look like a frame."""
        for code, width in _PAYLOADS.items():
            tail = self._last[-1 - width :]
            is_head = len(tail) == width + 1 and tail[0] == code
            if is_head and int.from_bytes(tail[1:], "little") == size:
                return True
        return False

    def getvalue(self) -> bytes:
        return b"".join(self.parts)
