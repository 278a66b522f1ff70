"""Rows of a damaged database, taken from every leaf page that still reads.

No tree is followed, so a lost root costs nothing. A row is given only where its cell, its record
and its overflow chain fit to the last byte and `fits` accepts its values. Where a page's list of
cells is lost, cells are looked for from its end, each ending where the next one begins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind.recovery.pages import (
    INDEX_INNER,
    INDEX_LEAF,
    SIZES,
    TABLE_INNER,
    TABLE_LEAF,
    Cell,
    Pages,
    Value,
    cell_pointers,
    read_cell,
    read_payload,
    read_record,
    record_types,
    type_size,
)

Fits = Callable[[tuple[Value, ...]], bool]
_PROBE_BYTES = 1 << 22
# The head of a record of up to twelve columns: its length, then small serial types.
_HEAD = re.compile(rb"(?=[\x03-\x1a][\x00-\x06\x08\x09\x0d-\xff])")


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was found: in which page, under which rowid."""

    page: int
    rowid: int
    values: tuple[Value, ...]


def open_damaged(path: Path) -> Pages:
    """The pages of a database whose header may be lost; then their size is found out."""
    pages = Pages(path)
    if pages.has_header:
        return pages
    size = _likely_page_size(pages)
    pages.close()
    return Pages(path, page_size=size)


def _likely_page_size(pages: Pages) -> int:
    probe = b"".join(data for _, data in _head_pages(pages))
    best, most = 4096, 0
    for size in SIZES:
        count = sum(
            bool(_listed_cells(probe[at : at + size], 2, size))
            for at in range(0, len(probe) - size + 1, size)
        )
        if count > most:
            best, most = size, count
    return best


def _head_pages(pages: Pages) -> Iterator[tuple[int, bytes]]:
    for number, data in pages.all():
        if number * pages.page_size > _PROBE_BYTES:
            return
        yield number, data


def salvage_rows(pages: Pages, fits: Fits, columns: frozenset[int]) -> Iterator[Row]:
    """Every row with that many columns that `fits` accepts, in the order of the file."""
    used: set[int] = set()
    for number, page in pages.all():
        for cell in _cells(page, number, pages.usable):
            values = _values(pages, cell, used, columns)
            if values is not None and fits(values):
                yield Row(number, cell.rowid, values)


def salvage_index(pages: Pages, columns: int) -> Iterator[tuple[Value, ...]]:
    """Every entry of an index with that many columns, the rowid among them."""
    for number, page in pages.all():
        head = 100 if number == 1 else 0
        if page[head] != INDEX_LEAF:
            continue
        for pointer in cell_pointers(page, number, pages.usable) or ():
            cell = read_cell(page, pointer, pages.usable, table=False)
            if cell is None or cell.overflow:
                continue
            values = read_record(cell.local, pages.encoding)
            if values is not None and len(values) == columns:
                yield values


def _values(
    pages: Pages, cell: Cell, used: set[int], columns: frozenset[int]
) -> tuple[Value, ...] | None:
    head = record_types(cell.local)
    if head is None or len(head[0]) not in columns:
        return None
    if head[1] + sum(map(type_size, head[0])) != cell.size:
        return None
    payload = read_payload(pages, cell, used)
    return None if payload is None else read_record(payload, pages.encoding)


def _cells(page: bytes, number: int, usable: int) -> list[Cell]:
    head = 100 if number == 1 else 0
    pointers = cell_pointers(page, number, usable)
    if pointers is not None and page[head] in {TABLE_INNER, INDEX_LEAF, INDEX_INNER}:
        return []
    listed = _listed_cells(page, number, usable)
    if pointers and len(listed) == len(pointers):
        return listed
    known = {cell.start for cell in listed}
    return listed + [cell for cell in _hidden_cells(page, usable) if cell.start not in known]


def _listed_cells(page: bytes, number: int, usable: int) -> list[Cell]:
    head = 100 if number == 1 else 0
    if page[head] != TABLE_LEAF:
        return []
    found = [read_cell(page, at, usable) for at in cell_pointers(page, number, usable) or ()]
    return [cell for cell in found if cell is not None]


def _hidden_cells(page: bytes, usable: int) -> list[Cell]:
    """Cells that lie one behind the other up to the page's end, without a list of them."""
    if not page.strip(b"\0"):
        return []
    found: list[Cell] = []
    ends = {usable}
    for match in reversed(list(_HEAD.finditer(page, 0, usable))):
        for start in range(max(0, match.start() - 12), match.start() - 1):
            cell = read_cell(page, start, usable)
            if cell is None or cell.end not in ends or not _begins(cell, page, match.start()):
                continue
            found.append(cell)
            ends.add(cell.start)
            break
    return found


def _begins(cell: Cell, page: bytes, head: int) -> bool:
    """Whether the cell's record begins at `head`, and says the size that the cell says."""
    local = page[head : head + len(cell.local)]
    if local != cell.local:
        return False
    types = record_types(cell.local)
    return types is not None and types[1] + sum(map(type_size, types[0])) == cell.size
