"""What a pack holds but for the payloads of its larger chunks: enough to read histories by.

outlines/<as the pack>, little-endian (format 1):

    head    18 bytes  magic, format, how many ranges are left out, the pack's size
    ranges  16 bytes each: start and end in the pack
    bytes   those of the pack that are not left out, in order
    tag     32 bytes  keyed blake3 over all before it, for this pack

It is never needed: where there is none, or it does not read, the pack is fetched whole. What it
leaves out is decided by what looks like records. Whether that was right is seen by the tags of
the segment that is made of it.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from blake3 import blake3

from jupyter_rewind.store.chunks import BASE_SIZE, Codec
from jupyter_rewind.store.framing import HEAD_SIZE, MAGIC, OVERHEAD, Kind
from jupyter_rewind.store.layout import Layout

LEAST_BYTES = 1 << 10
"""Payloads of fewer bytes are not left out."""
"""A delta begins with what it is a difference from, which is asked for without its content."""
_FORMAT = 1
_MAGIC = b"\xabJRO"
_HEAD = struct.Struct("<4sHIQ")
_RANGE = struct.Struct("<QQ")
_TAG_SIZE = 32
_RECORD = struct.Struct("<4sBBHI")
"""How the head of a record begins, as `segments` has it."""
_KINDS = frozenset(map(int, Kind))
_WORTH_IT = 0.75


@dataclass(frozen=True, slots=True)
class Outline:
    """A pack of `size` bytes, but for what is `left_out` of it; `kept` is the rest."""

    size: int
    left_out: tuple[tuple[int, int], ...]
    kept: bytes

    def pieces(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """What is kept of the pack between `start` and `end`: where it stands there, and it."""
        at = taken = 0
        for begin, stop in (*self.left_out, (self.size, self.size)):
            first, last = max(at, start), min(begin, end)
            if first < last:
                yield first, self.kept[taken + first - at : taken + last - at]
            taken += begin - at
            at = stop


def outline_key(pack: str) -> str:
    """Where the outline of the pack lies."""
    return pack.replace("packs/", "outlines/", 1)


def pack_key(outline: str) -> str:
    """The pack of which the outline is one."""
    return outline.replace("outlines/", "packs/", 1)


def make_outline(data: bytes) -> Outline | None:
    """The outline of the pack `data`; None where it would save little."""
    ranges = tuple(_payloads(data))
    if not ranges or sum(end - at for at, end in ranges) < len(data) * (1 - _WORTH_IT):
        return None
    kept, at = bytearray(), 0
    for start, end in ranges:
        kept += data[at:start]
        at = end
    return Outline(len(data), ranges, bytes(kept + data[at:]))


def encode_outline(outline: Outline, pack: str, layout: Layout) -> bytes:
    """The object of the outline."""
    parts = [_HEAD.pack(_MAGIC, _FORMAT, len(outline.left_out), outline.size)]
    parts += [_RANGE.pack(*each) for each in outline.left_out]
    body = b"".join([*parts, outline.kept])
    return body + _tag(body, pack, layout)


def decode_outline(data: bytes, pack: str, layout: Layout) -> Outline | None:
    """The outline that `data` is; None where it is none that a holder of the key made for this
    pack, or is of a later format."""
    body, tag = data[:-_TAG_SIZE], data[-_TAG_SIZE:]
    if len(data) < _HEAD.size + _TAG_SIZE or data[:4] != _MAGIC:
        return None
    if not hmac.compare_digest(_tag(body, pack, layout), tag):
        return None
    _, number, count, size = _HEAD.unpack_from(body)
    kept_at = _HEAD.size + count * _RANGE.size
    if number != _FORMAT or kept_at > len(body):
        return None
    ranges = tuple(_RANGE.iter_unpack(body[_HEAD.size : kept_at]))
    at = 0
    for start, end in ranges:
        if not at <= start < end <= size:
            return None
        at = end
    if len(body) - kept_at != size - sum(end - start for start, end in ranges):
        return None
    return Outline(size, ranges, body[kept_at:])


def _payloads(data: bytes) -> Iterator[tuple[int, int]]:
    """The larger payloads of chunks in `data`, as far as they can be told."""
    at = 0 if _stored(data, 0) is not None else _resume(data, 1)
    while at < len(data):
        found = _stored(data, at)
        if found is None:
            at = _resume(data, at + 1)
            continue
        kind, codec, stored = found
        start = at + HEAD_SIZE + (BASE_SIZE if codec == Codec.DELTA else 0)
        end = min(at + HEAD_SIZE + stored, len(data))
        if kind == Kind.CHUNK and end - start >= LEAST_BYTES:
            yield start, end
        at += OVERHEAD + stored


def _stored(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Kind, codec and stored size of what looks like a record at `at`."""
    if at + HEAD_SIZE > len(data):
        return None
    magic, kind, codec, _, stored = _RECORD.unpack_from(data, at)
    return (kind, codec, stored) if magic == MAGIC and kind in _KINDS else None


def _resume(data: bytes, at: int) -> int:
    """Where the next record begins that another one follows, or the end: a pack may begin in the
    middle of one, and content may look like records."""
    at = data.find(MAGIC, at)
    while at >= 0:
        found = _stored(data, at)
        if found is not None:
            behind = at + OVERHEAD + found[2]
            if behind == len(data) or _stored(data, behind) is not None:
                return at
        at = data.find(MAGIC, at + 1)
    return len(data)


def _tag(body: bytes, pack: str, layout: Layout) -> bytes:
    said = f"replica outline\0{layout.store_id}\0{pack}\0".encode()
    return blake3(said, key=layout.key).update(body).digest(_TAG_SIZE)
