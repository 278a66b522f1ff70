"""CRIU's own files: a number that tells what it is, then messages of Protocol Buffers by length.

Only the shape is understood here; what a message means is for those who ask.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from jupyter_rewind.errors import Integrity

MAGIC_BYTES = 8
VARINT, BYTES = 0, 2
_LONG, _SHORT = 1, 5

Field = tuple[int, int, int | bytes]


def entries(image: bytes) -> Iterator[bytes]:
    """The messages of a file, in order. Raises Integrity."""
    at = MAGIC_BYTES
    while at < len(image):
        if at + 4 > len(image):
            raise damaged()
        (length,) = struct.unpack_from("<I", image, at)
        at += 4
        if at + length > len(image):
            raise damaged()
        yield image[at : at + length]
        at += length


def fields(message: bytes) -> Iterator[Field]:
    """(number, kind on the wire, value) of each field. Raises Integrity."""
    at = 0
    while at < len(message):
        head, at = _varint(message, at)
        number, kind = head >> 3, head & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, at = _varint(message, at)
        elif kind in (_LONG, _SHORT):
            length = 8 if kind == _LONG else 4
        else:
            raise damaged()
        if at + length > len(message):
            raise damaged()
        yield number, kind, message[at : at + length]
        at += length


def numbers(message: bytes) -> dict[int, int]:
    """The whole numbers of a message by field. Raises Integrity."""
    return {number: value for number, _, value in fields(message) if isinstance(value, int)}


def pack_fields(given: Iterable[Field]) -> bytes:
    """A message of these fields."""
    return b"".join(map(_pack, given))


def pack_entries(head: bytes, messages: Iterable[bytes]) -> bytes:
    """A file that begins with `head` and holds these messages."""
    return head + b"".join(struct.pack("<I", len(each)) + each for each in messages)


def damaged() -> Integrity:
    return Integrity(
        "A list in this process image does not read.",
        hint="Nothing was changed. `jupyter rewind image list` shows other images.",
    )


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise damaged()


def _pack(field: Field) -> bytes:
    number, kind, value = field
    head = _pack_varint(number << 3 | kind)
    if isinstance(value, int):
        return head + _pack_varint(value)
    return head + (_pack_varint(len(value)) if kind == BYTES else b"") + value


def _pack_varint(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
