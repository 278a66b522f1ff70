"""SQLite's file format read page by page, without SQLite: for files that it refuses or cannot hold.

Follows the published format (https://www.sqlite.org/fileformat2.html): pages, b-trees, records,
overflow chains. It only reads, takes no lock, and trusts no number that it finds: whatever does
not fit is None, never a guess.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from jupyter_rewind.recovery.regular import open_descriptor

MAGIC = b"SQLite format 3\0"
TABLE_LEAF, TABLE_INNER, INDEX_LEAF, INDEX_INNER = 13, 5, 10, 2
ENCODINGS = {1: "utf-8", 2: "utf-16-le", 3: "utf-16-be"}
SIZES = tuple(512 << power for power in range(8))

Value = int | float | str | bytes | None
_FIXED = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
_CACHE_PAGES = 64


class Pages:
    """The pages of a database file, numbered from 1; those of `overlay` stand for the file's.

    A file without a readable header is read with `page_size`. Close it, or use `with`.
    """

    def __init__(
        self,
        path: Path,
        *,
        page_size: int | None = None,
        overlay: Mapping[int, bytes] | None = None,
    ) -> None:
        self.path = path
        self.overlay = overlay or {}
        self._descriptor = open_descriptor(path)
        self.size_bytes = os.fstat(self._descriptor).st_size
        first = self.overlay.get(1) or self._read(0, 100)
        told = header_page_size(first)
        self.has_header = told is not None
        self.page_size = page_size or told or 4096
        reserved = first[20] if self.has_header else 0
        self.usable = self.page_size - reserved
        number = int.from_bytes(first[56:60], "big") if self.has_header else 1
        self.encoding = ENCODINGS.get(number, "utf-8")
        self._cache: dict[int, bytes] = {}

    def close(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Pages:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def count(self) -> int:
        """How many pages there are, the last one maybe in part."""
        return -(-self.size_bytes // self.page_size)

    def page(self, number: int) -> bytes | None:
        """The page, filled up with zeros where the file ends; None where there is none such."""
        if not 1 <= number <= max(self.count, max(self.overlay, default=0)):
            return None
        if number in self.overlay:
            return self.overlay[number]
        data = self._cache.get(number)
        if data is None:
            data = self._read((number - 1) * self.page_size, self.page_size)
            data = data.ljust(self.page_size, b"\0")
            if len(self._cache) >= _CACHE_PAGES:
                self._cache.clear()
            self._cache[number] = data
        return data

    def all(self) -> Iterator[tuple[int, bytes]]:
        """Every page in the file's order, read a megabyte at a time."""
        step = max(1, (1 << 20) // self.page_size)
        for start in range(1, self.count + 1, step):
            block = self._read((start - 1) * self.page_size, step * self.page_size)
            for index in range(min(step, self.count + 1 - start)):
                data = block[index * self.page_size : (index + 1) * self.page_size]
                number = start + index
                yield number, self.overlay.get(number) or data.ljust(self.page_size, b"\0")

    def block(self, first: int, count: int) -> bytes:
        """That many pages in a row, as they lie in the file, filled up with zeros at its end."""
        data = self._read((first - 1) * self.page_size, count * self.page_size)
        return data.ljust(count * self.page_size, b"\0")

    def _read(self, offset: int, size: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, size, offset)
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        return os.read(self._descriptor, size)


def header_page_size(first: bytes) -> int | None:
    """The page size that a database's first bytes tell; None where they are no header."""
    if len(first) < 100 or first[:16] != MAGIC:
        return None
    size = int.from_bytes(first[16:18], "big")
    size = 65536 if size == 1 else size
    return size if size in SIZES else None


def read_varint(data: bytes, at: int) -> tuple[int, int] | None:
    """The number at `at` and where it ends; None where the data ends before it does."""
    value = 0
    for index in range(8):
        if at + index >= len(data):
            return None
        byte = data[at + index]
        value = value << 7 | byte & 127
        if not byte & 128:
            return value, at + index + 1
    if at + 8 >= len(data):
        return None
    return value << 8 | data[at + 8], at + 9


@dataclass(frozen=True, slots=True)
class Cell:
    """A row's cell in a leaf page: where it lies, and the part of its payload that lies here."""

    start: int
    end: int
    rowid: int
    size: int
    local: bytes = field(repr=False)
    overflow: int = 0


def local_size(payload: int, usable: int, *, table: bool = True) -> int:
    """How much of a payload lies in the leaf itself."""
    largest = usable - 35 if table else (usable - 12) * 64 // 255 - 23
    if payload <= largest:
        return payload
    least = (usable - 12) * 32 // 255 - 23
    size = least + (payload - least) % (usable - 4)
    return size if size <= largest else least


def read_cell(page: bytes, at: int, usable: int, *, table: bool = True) -> Cell | None:
    """The cell at `at` of a leaf page (of a table, else of an index); None where none can be."""
    first = read_varint(page, at)
    if first is None or not 0 < first[0] <= 1 << 31:
        return None
    size, here = first
    rowid = 0
    if table:
        second = read_varint(page, here)
        if second is None:
            return None
        rowid, here = second
    local = local_size(size, usable, table=table)
    end = here + local
    overflow = 0
    if local < size:
        overflow = int.from_bytes(page[end : end + 4], "big")
        end += 4
        if overflow == 0:
            return None
    if end > usable:
        return None
    # A cell never takes less than four bytes: a smaller one is followed by unused ones.
    return Cell(at, max(end, at + 4), rowid, size, page[here : here + local], overflow)


def cell_pointers(page: bytes, number: int, usable: int) -> list[int] | None:
    """Where the cells of a b-tree page lie; None where its head is no such page's."""
    head = 100 if number == 1 else 0
    kind = page[head]
    if kind not in {TABLE_LEAF, TABLE_INNER, INDEX_LEAF, INDEX_INNER}:
        return None
    count = int.from_bytes(page[head + 3 : head + 5], "big")
    start = head + (8 if kind in {TABLE_LEAF, INDEX_LEAF} else 12)
    if start + 2 * count > usable or page[head + 7] > 60:
        return None
    found = list(struct.unpack_from(f">{count}H", page, start))
    floor = start + 2 * count
    fits = not found or (min(found) >= floor and max(found) < usable)
    return found if fits else None


def read_payload(pages: Pages, cell: Cell, used: set[int] | None = None) -> bytes | None:
    """The cell's whole payload, its overflow pages followed; None where the chain is broken.

    With `used`, a page that another row's chain has is no part of this one's.
    """
    if not cell.overflow:
        return cell.local
    parts, missing, number = [cell.local], cell.size - len(cell.local), cell.overflow
    seen: set[int] = set()
    while missing > 0:
        page = pages.page(number)
        if page is None or number in seen or (used is not None and number in used):
            return None
        seen.add(number)
        parts.append(page[4 : min(pages.usable, 4 + missing)])
        missing -= pages.usable - 4
        number = int.from_bytes(page[:4], "big")
        if missing > 0 and number == 0:
            return None
    if number != 0:
        return None
    if used is not None:
        used |= seen
    return b"".join(parts)


def record_types(payload: bytes) -> tuple[list[int], int] | None:
    """The serial types of a record, and where its values begin; None where it is no record."""
    first = read_varint(payload, 0)
    if first is None or not 1 <= first[0] <= min(len(payload), 1 << 12):
        return None
    end, at = first
    types = []
    while at < end:
        step = read_varint(payload, at)
        if step is None or step[0] in (10, 11):
            return None
        types.append(step[0])
        at = step[1]
    return (types, end) if at == end else None


def type_size(kind: int) -> int:
    """How many bytes a value of that serial type takes."""
    return _FIXED[kind] if kind < 10 else (kind - 12) // 2


def read_record(payload: bytes, encoding: str = "utf-8") -> tuple[Value, ...] | None:
    """The values of a record that fills `payload` to its last byte; None for anything else."""
    read = read_values(payload, encoding)
    return None if read is None or not read[1] else read[0]


def read_values(payload: bytes, encoding: str = "utf-8") -> tuple[tuple[Value, ...], bool] | None:
    """As `read_record`, with whether all of its texts read: one that does not is None."""
    head = record_types(payload)
    if head is None:
        return None
    types, at = head
    if at + sum(map(type_size, types)) != len(payload):
        return None
    values: list[Value] = []
    is_whole = True
    for kind in types:
        size = type_size(kind)
        data = payload[at : at + size]
        at += size
        if kind == 0:
            values.append(None)
        elif kind == 7:
            values.append(struct.unpack(">d", data)[0])
        elif kind < 10:
            values.append(kind - 8 if kind > 7 else int.from_bytes(data, "big", signed=True))
        elif kind % 2 == 0:
            values.append(data)
        else:
            try:
                values.append(data.decode(encoding))
            except UnicodeDecodeError:
                values.append(None)
                is_whole = False
    return tuple(values), is_whole
