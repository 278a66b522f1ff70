"""Raw content into chunks, and chunks into stored bytes: cut, digest, compress, delta.

Cuts are content-defined (FastCDC 2020, Xia et al., through pyfastcdc), so that an insertion at
the front changes the chunks around it and no other. A delta is zstd with the predecessor's raw
content as its dictionary. Both are chosen by what they save, never by what the content is.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from enum import IntEnum

import zstandard
from blake3 import blake3
from pyfastcdc import FastCDC

from jupyter_rewind.errors import Integrity, Newer
from jupyter_rewind.model.ids import Digest

CUT_ABOVE = 1 << 17
AVERAGE_SIZE = 1 << 16
MAX_SIZE = 1 << 18
MIN_SIZE = 1 << 14
MAX_DEPTH = 24
_LEVEL = 3
_WORTH_IT = 0.95
_SAMPLE = 1 << 12
_DELTA = struct.Struct("<B32s")
#: What a difference begins with: its depth, and the name of what it is told from.
BASE_SIZE = _DELTA.size
_local = threading.local()


class Codec(IntEnum):
    """How a record's payload was made from its raw content."""

    RAW = 0
    ZSTD = 1
    DELTA = 2


def digest(data: bytes | memoryview) -> Digest:
    """The name of `data`: its blake3."""
    return Digest(blake3(data).digest())


def cut(data: bytes | memoryview) -> list[memoryview]:
    """`data` in pieces of 16 to 256 KB whose borders follow the content; small data in one."""
    view = memoryview(data).cast("B")
    if len(view) <= CUT_ABOVE:
        return [view]
    cutter = FastCDC(AVERAGE_SIZE, min_size=MIN_SIZE, max_size=MAX_SIZE)
    return [view[chunk.offset : chunk.offset + chunk.length] for chunk in cutter.cut_buf(view)]


def pack(data: bytes | memoryview) -> tuple[Codec, bytes | memoryview]:
    """The codec and the bytes to store: zstd where it saves a twentieth, else as they are."""
    size = len(data)
    if size < 48 or (size > 4 * _SAMPLE and not _is_compressible(data)):
        return Codec.RAW, data
    packed = _compressor().compress(data)
    if len(packed) < size * _WORTH_IT:
        return Codec.ZSTD, packed
    return Codec.RAW, data


def pack_delta(
    data: bytes, base: Digest, base_raw: bytes, depth: int
) -> tuple[Codec, bytes] | None:
    """`data` told as a difference from `base_raw`, or None where that saves nothing.

    `depth` is how many deltas stand between the base and full content; at MAX_DEPTH the answer is
    None, which bounds the cost of every read.
    """
    if depth >= MAX_DEPTH:
        return None
    packed = _delta_compressor(base_raw, len(data)).compress(data)
    if len(packed) + _DELTA.size >= len(data) * 0.6:
        return None
    return Codec.DELTA, _DELTA.pack(depth + 1, base) + packed


def delta_base(payload: bytes) -> tuple[int, Digest]:
    """A delta payload's depth and the digest of its base. Raises Integrity."""
    if len(payload) < _DELTA.size:
        raise Integrity("A delta is too short to name its base.")
    depth, base = _DELTA.unpack_from(payload)
    return depth, Digest(base)


def unpack(
    codec: int, payload: bytes, raw_size: int, read_base: Callable[[Digest], bytes]
) -> bytes:
    """The raw content, not yet checked against its digest. Raises Integrity, Newer."""
    try:
        if codec == Codec.RAW:
            return payload
        if codec == Codec.ZSTD:
            return _decompressor().decompress(payload, max_output_size=raw_size)
        if codec == Codec.DELTA:
            _, base = delta_base(payload)
            prefix = zstandard.ZstdCompressionDict(
                read_base(base), dict_type=zstandard.DICT_TYPE_RAWCONTENT
            )
            tool = zstandard.ZstdDecompressor(dict_data=prefix, max_window_size=1 << 31)
            return tool.decompress(payload[_DELTA.size :], max_output_size=raw_size)
    except zstandard.ZstdError as error:
        raise Integrity(f"Stored bytes do not decompress: {error}.") from error
    raise Newer(
        f"A chunk is stored in a way (codec {codec}) that this version does not know.",
        hint="Upgrade with `pip install -U jupyter-rewind`.",
    )


def _is_compressible(data: bytes | memoryview) -> bool:
    view = memoryview(data)
    middle = (len(view) - _SAMPLE) // 2
    sample = bytes(view[:_SAMPLE]) + bytes(view[middle : middle + _SAMPLE])
    return len(_fast_compressor().compress(sample)) < len(sample) * _WORTH_IT


# zstd contexts are not safe to share between threads, and costly to make anew.
def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_local, "compressor"):
        _local.compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=False)
    tool: zstandard.ZstdCompressor = _local.compressor
    return tool


def _fast_compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_local, "fast"):
        _local.fast = zstandard.ZstdCompressor(level=1, write_checksum=False)
    tool: zstandard.ZstdCompressor = _local.fast
    return tool


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    tool: zstandard.ZstdDecompressor = _local.decompressor
    return tool


def _delta_compressor(base: bytes, size: int) -> zstandard.ZstdCompressor:
    # The window must reach back over the whole base, or its front is out of sight.
    window = max(10, min(27, (len(base) + size).bit_length()))
    # The usual table forgets most of a base of more than a megabyte: 3 MB then differ by 1.8 MB
    # instead of 4 KB. A table for all of it costs 40 ms a megabyte.
    table = {"hash_log": min(window, 24), "chain_log": min(window, 24)}
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL,
        source_size=size,
        dict_size=len(base),
        window_log=window,
        **(table if len(base) > 1 << 20 else {}),
        write_checksum=False,
        write_content_size=True,
    )
    prefix = zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdCompressor(dict_data=prefix, compression_params=parameters)
