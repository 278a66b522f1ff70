"""Rows of a damaged database, taken from every leaf page that still reads.

No tree is followed, so a lost root costs nothing. A row is given only where its cell, its record
and its overflow chain fit to the last byte and `fits` accepts its values. Where a page's list of
cells is lost, cells are looked for from its end, each ending where the next one begins.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
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
    read_values,
    record_types,
    type_size,
)

Fits = Callable[[tuple[Value, ...]], bool]
_PROBE_BYTES = 1 << 22
_HEAD_SIZES = frozenset(range(3, 27))


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was found: in which page, under which rowid.

    Where it is not `whole`, texts of it do not read, and are None.
    """

    page: int
    rowid: int
    values: tuple[Value, ...]
    whole: bool = True


def open_damaged(path: Path) -> Pages:
    """The pages of a database whose header may be lost, or lie; then their size is found out."""
    pages = Pages(path)
    size = _likely_page_size(pages)
    if pages.has_header and pages.page_size == size:
        return pages
    pages.close()
    return Pages(path, page_size=size)


def _likely_page_size(pages: Pages) -> int:
    """The size at which most leaves read; the header's, where it is as good as any."""
    probe = b"".join(data for _, data in _head_pages(pages))
    best = pages.page_size if pages.has_header else 4096
    most = _leaves_of_size(probe, best)
    for size in SIZES:
        count = _leaves_of_size(probe, size)
        if count > most:
            best, most = size, count
    return best


def _leaves_of_size(probe: bytes, size: int) -> int:
    return sum(
        bool(_listed_cells(probe[at : at + size], 2, size))
        for at in range(0, len(probe) - size + 1, size)
    )


def _head_pages(pages: Pages) -> Iterator[tuple[int, bytes]]:
    for number, data in pages.all():
        if number * pages.page_size > _PROBE_BYTES:
            return
        yield number, data


def salvage_rows(
    pages: Pages, fits: Fits, columns: frozenset[int], only: Collection[int] | None = None
) -> Iterator[Row]:
    """Every row with that many columns that `fits` accepts, in the order of the file.

    With `only`, rows are looked for on those pages alone.
    """
    used: set[int] = set()
    chosen = pages.all() if only is None else _chosen(pages, only)
    for number, page in chosen:
        for cell in _cells(page, number, pages.usable, columns):
            read = _values(pages, cell, used, columns)
            if read is not None and fits(read[0]):
                yield Row(number, cell.rowid, *read)


def _chosen(pages: Pages, numbers: Collection[int]) -> Iterator[tuple[int, bytes]]:
    for number in sorted(numbers):
        page = pages.page(number)
        if page is not None:
            yield number, page


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
) -> tuple[tuple[Value, ...], bool] | None:
    head = record_types(cell.local)
    if head is None or len(head[0]) not in columns:
        return None
    if head[1] + sum(map(type_size, head[0])) != cell.size:
        return None
    payload = read_payload(pages, cell, used)
    return None if payload is None else read_values(payload, pages.encoding)


def _cells(page: bytes, number: int, usable: int, columns: frozenset[int]) -> list[Cell]:
    head = 100 if number == 1 else 0
    pointers = cell_pointers(page, number, usable)
    if pointers is not None and page[head] in {TABLE_INNER, INDEX_LEAF, INDEX_INNER}:
        return []
    listed = _listed_cells(page, number, usable)
    if pointers and len(listed) == len(pointers):
        return listed
    if page[: 100 + head] == bytes(100 + head) and not page.strip(b"\0"):
        return []
    known = {cell.start for cell in listed}
    hidden = _hidden_cells(page, usable, columns)
    return listed + [cell for cell in hidden if cell.start not in known]


def _listed_cells(page: bytes, number: int, usable: int) -> list[Cell]:
    head = 100 if number == 1 else 0
    if page[head] != TABLE_LEAF:
        return []
    found = [read_cell(page, at, usable) for at in cell_pointers(page, number, usable) or ()]
    return [cell for cell in found if cell is not None]


def _hidden_cells(page: bytes, usable: int, columns: frozenset[int]) -> list[Cell]:
    """Cells that lie one behind the other up to the page's end, without a list of them."""
    found: list[Cell] = []
    ends = {usable}
    for at in range(usable - 1, 1, -1):
        if page[at] not in _HEAD_SIZES:
            continue
        size = _record_size(page, at, columns)
        if size is None:
            continue
        for start in range(max(0, at - 12), at - 1):
            cell = read_cell(page, start, usable)
            if cell is None or cell.size != size or cell.end not in ends:
                continue
            if page.startswith(cell.local, at):
                found.append(cell)
                ends.add(cell.start)
                break
    return found


def _record_size(page: bytes, at: int, columns: frozenset[int]) -> int | None:
    """How many bytes the record takes whose head may begin at `at`; None where it is no head."""
    here, end = at + 1, at + page[at]
    size = count = 0
    while here < end and here < len(page):
        kind = page[here] & 127
        while page[here] & 128:
            here += 1
            if here >= end or here >= len(page):
                return None
            kind = kind << 7 | page[here] & 127
        here += 1
        if kind in (10, 11):
            return None
        size += type_size(kind)
        count += 1
    return size + end - at if here == end and count in columns else None
