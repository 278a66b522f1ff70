"""Reading segments: in order through one small buffer, and past bad sectors."""

from __future__ import annotations

import errno

from jupyter_rewind.store.durable import read_at, read_into

PAGE = 1 << 12
_BUFFER = 1 << 20


class ByteStream:
    """Pieces of a file read in order of place, through one buffer that stays in the cache."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = memoryview(bytearray(_BUFFER))
        self._start = self._filled = 0

    def read(self, offset: int, size: int) -> memoryview:
        """`size` bytes from `offset`, fewer where the file ends. Valid until the next call."""
        at = offset - self._start
        if at < 0 or at + size > self._filled:
            if size > len(self._buffer):
                self._buffer = memoryview(bytearray(size))
            self._start, at = offset, 0
            self._filled = _read_into(self._descriptor, self._buffer, offset)
        return self._buffer[at : min(at + size, self._filled)]


def read_lenient(descriptor: int, size: int, offset: int) -> bytes:
    """Bytes of a segment; those of a bad sector as zeros, so that it costs what lies on it."""
    try:
        return read_at(descriptor, size, offset)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
    parts = []
    at = offset
    while at < offset + size:
        count = min(PAGE - at % PAGE, offset + size - at)
        try:
            parts.append(read_at(descriptor, count, at))
        except OSError:
            parts.append(bytes(count))
        at += count
    return b"".join(parts)


def written_length(block: bytes) -> int:
    """How long `block` is without the zeros at its end, as room held ready leaves them.

    By halves: to compare is a hundred times faster than to look at each byte, and a megabyte of
    room is looked at whenever a store is read.
    """
    end, below = len(block), 0
    while end - below > PAGE:
        middle = (below + end) // 2
        if block[middle:end] == bytes(end - middle):
            end = middle
        else:
            below = middle
    return len(block[:end].rstrip(b"\0"))


def _read_into(descriptor: int, buffer: memoryview, offset: int) -> int:
    try:
        return read_into(descriptor, buffer, offset)
    except OSError:
        data = read_lenient(descriptor, len(buffer), offset)
        buffer[: len(data)] = data
        return len(data)
