"""Whether a library is the very one that a process has mapped: by the name that its linker gave it,
which CRIU keeps as well, and by its content where it has none.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

_MAGIC, _IS_64_LITTLE = b"\x7fELF", b"\x02\x01"
_HEAD, _PROGRAM = struct.Struct("<32xQ14xHH"), struct.Struct("<I4xQ16xQ")
_NOTE, _NAME, _ID = 4, b"GNU\0", 3
_MOST_BYTES = 1 << 20
_known: dict[tuple[str, int, int, int], str] = {}


def build_id(name: str) -> bytes | None:
    """The name of its content that is in the file; empty where there is none in it, and None where
    the file is no library that is understood here, or does not read."""
    try:
        with open(name, "rb") as file:
            head = file.read(64)
            if not head.startswith(_MAGIC) or head[4:6] != _IS_64_LITTLE:
                return None
            return next(_ids(file, head), b"")
    except (OSError, struct.error):
        return None


def digest(name: str) -> str:
    """That of the whole file; why it cannot be read where that is so. A file that is as it was the
    last time is not read again."""
    try:
        with open(name, "rb") as file:
            found = os.fstat(file.fileno())
            key = (name, found.st_ino, found.st_size, found.st_mtime_ns)
            if key not in _known:
                _known[key] = hashlib.file_digest(file, "sha256").hexdigest()
            return _known[key]
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _ids(file: BinaryIO, head: bytes) -> Iterator[bytes]:
    at, size, count = _HEAD.unpack_from(head)
    for number in range(count):
        file.seek(at + number * size)
        kind, start, length = _PROGRAM.unpack(file.read(_PROGRAM.size))
        if kind == _NOTE:
            file.seek(start)
            yield from _ids_in(file.read(min(length, _MOST_BYTES)))


def _ids_in(notes: bytes) -> Iterator[bytes]:
    at = 0
    while at + 12 <= len(notes):
        named, told, kind = struct.unpack_from("<III", notes, at)
        name, start = at + 12, at + 12 + (named + 3 & ~3)
        if kind == _ID and notes[name : name + named] == _NAME:
            yield notes[start : start + told]
        at = start + (told + 3 & ~3)
