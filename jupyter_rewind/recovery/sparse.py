"""Copies only the pages of a large database that a question needs; the rest of the copy is a hole.

SQLite opens the copy as any database, and meets only pages that are there as long as it is asked
for what was copied. A tree that does not hold together raises sqlite3.DatabaseError, as SQLite
itself would.
"""

from __future__ import annotations

import os
import sqlite3
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from jupyter_rewind.recovery.pages import (
    INDEX_INNER,
    INDEX_LEAF,
    TABLE_INNER,
    TABLE_LEAF,
    Pages,
    cell_pointers,
    read_cell,
    read_record,
    read_varint,
)

_DEEPEST = 20
_LAST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Root:
    """A table or an index, by where its tree begins."""

    kind: str
    name: str
    table: str
    page: int


class SparseCopy:
    """A growing copy of some pages of `source` in the new file `target`."""

    def __init__(self, source: Path, target: Path, overlay: Mapping[int, bytes] | None = None):
        self.pages = Pages(source, overlay=overlay)
        if not self.pages.has_header:
            self.pages.close()
            raise sqlite3.DatabaseError("the database has no header")
        self.target = target
        self._copied: set[int] = set()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        self._writer = os.open(target, flags, 0o600)
        os.truncate(target, self.pages.count * self.pages.page_size)

    def close(self) -> None:
        self.pages.close()
        os.close(self._writer)

    def __enter__(self) -> SparseCopy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def roots(self) -> list[Root]:
        """All tables and indexes; what describes them is copied. Raises sqlite3.DatabaseError."""
        found = []
        for payload in self.copy_tree(1):
            values = read_record(payload, self.pages.encoding)
            if values is None or len(values) < 4:
                raise sqlite3.DatabaseError("the schema is damaged")
            kind, name, table, page = values[:4]
            if isinstance(page, int) and page > 0:
                found.append(Root(str(kind), str(name), str(table), page))
        return found

    def copy_tree(self, root: int) -> list[bytes]:
        """Every page of a tree is copied; returns what its leaves hold, if it is the schema's.

        An index is taken to be of numbers, whose keys fit their page.
        """
        waiting, payloads = [(root, 0)], []
        while waiting:
            number, depth = waiting.pop()
            page = self._copy(number, depth)
            kind = page[self._head(number)]
            if kind in {TABLE_INNER, INDEX_INNER}:
                waiting += [(child, depth + 1) for child in self._children(page, number)]
            elif kind == TABLE_LEAF:
                payloads += self._take_leaf(page, number)
            elif kind != INDEX_LEAF:
                raise sqlite3.DatabaseError(f"page {number} is damaged")
        return payloads if root == 1 else []

    def _take_leaf(self, page: bytes, number: int) -> list[bytes]:
        """What lies outside of a table's leaf is copied; returns what lies in it."""
        found = []
        for at in self._pointers(page, number):
            cell = read_cell(page, at, self.pages.usable)
            if cell is None:
                raise sqlite3.DatabaseError(f"page {number} is damaged")
            self._copy_chain(cell.overflow)
            found.append(cell.local)
        return found

    def copy_rows(self, root: int, rowids: Iterable[int]) -> None:
        """The way to each of these rows (in ascending order), and the rows, are copied."""
        done = -_LAST
        for rowid in rowids:
            if rowid > done:
                done = self._copy_leaf_of(root, rowid)

    def _copy_leaf_of(self, root: int, rowid: int) -> int:
        """Copies the leaf in which the row must be; the last rowid that it may hold."""
        number, last = root, _LAST
        for depth in range(_DEEPEST):
            page = self._copy(number, depth)
            kind = page[self._head(number)]
            if kind == TABLE_LEAF:
                self._take_leaf(page, number)
                return last
            if kind != TABLE_INNER:
                break
            number, last = self._child_for(page, number, rowid, last)
        raise sqlite3.DatabaseError(f"page {number} belongs to another tree")

    def _child_for(self, page: bytes, number: int, rowid: int, last: int) -> tuple[int, int]:
        pointers = self._pointers(page, number)
        at = bisect_left(pointers, rowid, key=lambda pointer: _key(page, pointer))
        if at == len(pointers):
            start = self._head(number) + 8
            return int.from_bytes(page[start : start + 4], "big"), last
        pointer = pointers[at]
        return int.from_bytes(page[pointer : pointer + 4], "big"), _key(page, pointer)

    def _children(self, page: bytes, number: int) -> list[int]:
        starts = [*self._pointers(page, number), self._head(number) + 8]
        return [int.from_bytes(page[at : at + 4], "big") for at in starts]

    def _pointers(self, page: bytes, number: int) -> list[int]:
        found = cell_pointers(page, number, self.pages.usable)
        if found is None:
            raise sqlite3.DatabaseError(f"page {number} is damaged")
        return found

    def _copy_chain(self, number: int) -> None:
        while number and number not in self._copied:
            number = int.from_bytes(self._copy(number, 0)[:4], "big")

    def _copy(self, number: int, depth: int) -> bytes:
        page = self.pages.page(number)
        if page is None or depth >= _DEEPEST:
            raise sqlite3.DatabaseError(f"page {number} is out of reach")
        if number not in self._copied:
            os.lseek(self._writer, (number - 1) * self.pages.page_size, os.SEEK_SET)
            os.write(self._writer, page)
            self._copied.add(number)
        return page

    @staticmethod
    def _head(number: int) -> int:
        return 100 if number == 1 else 0


def _key(page: bytes, pointer: int) -> int:
    found = read_varint(page, pointer + 4)
    if found is None:
        raise sqlite3.DatabaseError("a page is cut short")
    return found[0]


def root_of(roots: Collection[Root], table: str) -> int:
    """Where the table's tree begins. Raises sqlite3.DatabaseError."""
    for root in roots:
        if root.kind == "table" and root.name == table:
            return root.page
    raise sqlite3.DatabaseError(f"there is no table {table}")


def indexes_of(roots: Collection[Root], table: str) -> list[int]:
    """Where the trees of the table's indexes begin."""
    return [root.page for root in roots if root.kind == "index" and root.table == table]
