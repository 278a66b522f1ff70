"""The text in a swap file of Vim, read from its blocks; Vim is not run.

Block 0 says the size of a block and the file's name; pointer blocks form a tree whose leaves are
data blocks with lines. Where the tree is torn, the data blocks that are left are taken as they lie.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_MAGIC = b"b0VIM "
_POINTERS = b"tp"
_DATA = b"ad"
_POINTER_HEAD = 8
_POINTER = struct.Struct("<qqqi4x")
_DATA_HEAD = struct.Struct("<2s2xIIIq")
_OFFSET = 0x7FFFFFFF
_LARGEST_PAGE = 1 << 20
_NAME_AT, _NAME_SIZE = 108, 900


@dataclass(frozen=True, slots=True)
class Swap:
    """What a swap file holds. `name` is the file's, as Vim was given it (`~` for the home)."""

    name: str
    text: bytes
    complete: bool


def parse_swap(raw: bytes) -> Swap | None:
    """The text in `raw`; None where it is no swap file of a 64-bit little-endian Vim."""
    if not raw.startswith(_MAGIC) or len(raw) < _NAME_AT + _NAME_SIZE:
        return None
    page = int.from_bytes(raw[12:16], "little")
    if not 512 <= page <= _LARGEST_PAGE:
        return None
    name = raw[_NAME_AT : _NAME_AT + _NAME_SIZE].partition(b"\0")[0].decode("utf-8", "replace")
    lines, complete = _by_tree(raw, page)
    if not complete:
        found = [each for at in range(page, len(raw), page) for each in _lines(raw, at)]
        if len(found) > len(lines):
            lines = found
    return Swap(name, b"".join(line + b"\n" for line in lines), complete)


def _by_tree(raw: bytes, page: int) -> tuple[list[bytes], bool]:
    """The lines in the order of the tree, and whether nothing of it was missing."""
    lines: list[bytes] = []
    complete = True
    seen: set[int] = set()
    waiting = [1]
    while waiting:
        number = waiting.pop()
        at = number * page
        if number in seen or not 0 < at < len(raw):
            complete = False
            continue
        seen.add(number)
        kind = raw[at : at + 2]
        if kind == _POINTERS:
            waiting += reversed(list(_children(raw, at, page)))
        elif kind == _DATA:
            lines += _lines(raw, at)
        else:
            complete = False
    return lines, complete


def _children(raw: bytes, at: int, page: int) -> Iterator[int]:
    count = int.from_bytes(raw[at + 2 : at + 4], "little")
    for number in range(min(count, page // _POINTER.size)):
        start = at + _POINTER_HEAD + number * _POINTER.size
        if start + _POINTER.size > len(raw):
            return
        block, *_ = _POINTER.unpack_from(raw, start)
        yield block


def _lines(raw: bytes, at: int) -> list[bytes]:
    """The lines in the data block at `at`; empty where it is none."""
    if at + _DATA_HEAD.size > len(raw):
        return []
    kind, _, _, end, count = _DATA_HEAD.unpack_from(raw, at)
    if kind != _DATA or at + end > len(raw) or not 0 <= count <= end // 4:
        return []
    lines: list[bytes] = []
    before = end
    for number in range(count):
        start = at + _DATA_HEAD.size + 4 * number
        offset = int.from_bytes(raw[start : start + 4], "little") & _OFFSET
        if not _DATA_HEAD.size <= offset < before:
            return lines
        # Vim writes a line's end as NUL, and a NUL in a line as a line's end.
        lines.append(raw[at + offset : at + before - 1].replace(b"\n", b"\0"))
        before = offset
    return lines
