"""Where a pod is written to: what pickle writes, without the headers of its frames."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from xxhash import xxh3_128, xxh3_128_digest

_FRAME = 0x95
_PAYLOADS = {ord("B"): 4, ord("X"): 4, 0x8D: 8, 0x8E: 8, 0x96: 8}
_LARGE = 1 << 20
"""A payload of so many bytes stays where it is: to join it with the others would copy it."""


class Stream:
    """What a pickler wrote: bytes one behind the other, and the few large payloads among them."""

    __slots__ = ("_size", "_told", "segments")

    def __init__(self, segments: Iterable[bytes | bytearray], told: Iterable[int] = (0,)) -> None:
        """`told` are the numbers of the segments that hold more than one payload."""
        self.segments = tuple(segments)
        self._told = tuple(told)
        self._size = sum(map(len, self.segments))

    def __len__(self) -> int:
        return self._size

    def holds(self, signs: Iterable[bytes]) -> bool:
        """Whether one of them stands in it anywhere but in a large payload."""
        told = [self.segments[number] for number in self._told]
        return any(sign in each for sign in signs for each in told)

    def digest(self) -> bytes:
        """The xxh3 of all of it."""
        if len(self.segments) == 1:
            return xxh3_128_digest(self.segments[0])
        told = xxh3_128()
        for each in self.segments:
            told.update(each)
        return told.digest()


class Sink:
    """Takes what a pickler writes, without the headers of its frames."""

    def __init__(self, check: Callable[[], None]) -> None:
        """`check` is called every 64 KB, and may raise."""
        self._segments: list[bytes | bytearray] = []
        self._told: list[int] = []
        self._last = b""
        self._check = check

    def write(self, data: bytes) -> int:
        self._check()
        if type(data) is not bytes:
            data = bytes(data)
        rest = data
        is_payload = len(data) > 9 and self._announces(len(data))
        if len(data) > 9 and data[0] == _FRAME and not is_payload:
            (size,) = struct.unpack_from("<Q", data, 1)
            if size == len(data) - 9:
                rest = data[9:]
        self._last = data[-9:]
        if is_payload and len(data) >= _LARGE:
            self._segments.append(data)
        elif self._told and self._told[-1] == len(self._segments) - 1:
            open_ = self._segments[-1]
            if isinstance(open_, bytes):
                open_ = self._segments[-1] = bytearray(open_)
            open_ += rest
        else:
            self._told.append(len(self._segments))
            self._segments.append(rest)
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

    def taken(self) -> Stream:
        """All that was written."""
        return Stream(self._segments, self._told)
