"""A notebook's bytes, cut where its JSON has cells and payloads; joined, they are the same bytes.

The bytes are cut and not the model: no reformatting, no schema, any nbformat that keeps a list of
cells (1 to 4). A notebook is gaps and cells in turn, a cell is a template with payloads (outputs
and attachments of 512 bytes and more) cut out of it. What cannot be cut is a file, kept whole,
with words on why. Never raises for what the bytes are.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from blake3 import blake3

IDENTITY_SIZE = 16
PAYLOAD_BYTES = 512
_CACHED = 50_000
_SPACE = re.compile(r"[ \t\n\r]*")
_scan = json.JSONDecoder(strict=False).scan_once  # type: ignore[attr-defined]
_VOLATILE_CELL = ("execution", "trusted")
_VOLATILE_BOOK = ("signature",)


@dataclass(frozen=True, slots=True)
class CutCell:
    """One cell's bytes: `payloads` go into `template` at their byte offsets."""

    id: str | None
    type: str
    identity: bytes
    template: bytes
    payloads: tuple[tuple[int, bytes], ...] = ()

    def join(self) -> bytes:
        """The very bytes of the cell."""
        return join_payloads(self.template, self.payloads)


@dataclass(frozen=True, slots=True)
class Cut:
    """All bytes of one state, in parts.

    `gaps` are what stands before, between and behind the cells: one more than there are cells.
    A file is one gap. `identity` says what the state says: formatting and volatile metadata
    (execution times, trust) do not count.
    """

    kind: str
    identity: bytes
    gaps: tuple[bytes, ...]
    cells: tuple[CutCell, ...] = ()
    nbformat: tuple[int, int] | None = None
    problem: str = ""
    is_distinct: bool = True
    """False for states like those of many other notebooks: empty ones."""

    def join(self, cells: Sequence[bytes] | None = None) -> bytes:
        """The very bytes; or those with other bytes for each cell."""
        middle = [cell.join() for cell in self.cells] if cells is None else cells
        parts = [self.gaps[0]]
        for cell, gap in zip(middle, self.gaps[1:], strict=True):
            parts += (cell, gap)
        return b"".join(parts)

    @property
    def size(self) -> int:
        return len(self.join())


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found out about a cell's bytes; kept, for most cells stay as they were."""

    id: str | None
    type: str
    identity: bytes
    ranges: tuple[tuple[int, int], ...]
    is_blank: bool


class _Unfit(Exception):
    """The text is not a notebook that can be cut; says why."""


def join_payloads(template: bytes, payloads: Sequence[tuple[int, bytes]]) -> bytes:
    """`template` with each payload put in at its offset."""
    if not payloads:
        return template
    parts: list[bytes] = []
    at = 0
    for offset, payload in payloads:
        parts += (template[at:offset], payload)
        at = offset
    parts.append(template[at:])
    return b"".join(parts)


def cut(raw: bytes) -> Cut:
    """`raw` in parts: kind "notebook", or "file" with words on the problem."""
    try:
        text = raw.decode()
        state = _Cutter(text, raw if raw.isascii() else None).cut()
    except UnicodeDecodeError as error:
        return _as_file(raw, f"it is not UTF-8 (byte {error.start})")
    except _Unfit as error:
        return _as_file(raw, str(error))
    except RecursionError:
        return _as_file(raw, "it is nested too deeply")
    except (ValueError, StopIteration, IndexError, OverflowError):
        return _as_file(raw, "it is not JSON")
    if state.join() != raw:
        return _as_file(raw, "its parts do not join to the same bytes")
    return state


def _as_file(raw: bytes, problem: str) -> Cut:
    identity = blake3(raw).digest(IDENTITY_SIZE)
    if not raw:
        problem = "it is empty"
    return Cut("file", identity, (raw,), problem=problem, is_distinct=len(raw.strip()) >= 32)


class _Cutter:
    """One pass over a text, with the C scanner doing the long stretches."""

    def __init__(self, text: str, ascii_bytes: bytes | None) -> None:
        self._text = text
        self._bytes = ascii_bytes
        self._cells: list[tuple[int, int, Any]] = []

    def cut(self) -> Cut:
        book = self._book()
        cells, gaps, at, blank = [], [], 0, True
        for start, end, value in self._cells:
            gaps.append(self._encode(at, start))
            cell, is_blank = self._cell(start, end, value)
            blank = blank and is_blank
            cells.append(cell)
            at = end
        gaps.append(self._encode(at, len(self._text)))
        hasher = blake3(_canonical(book))
        for cell in cells:
            hasher.update(cell.identity)
        return Cut(
            "notebook",
            hasher.digest(IDENTITY_SIZE),
            tuple(gaps),
            tuple(cells),
            _version(book),
            is_distinct=not blank,
        )

    def _book(self) -> dict[str, Any]:
        """The notebook without its cells, which are noted by place."""
        text = self._text
        start = self._skip(1 if text.startswith("\ufeff") else 0)
        if text[start : start + 1] != "{":
            raise _Unfit("it is not a JSON object")
        book: dict[str, Any] = {}
        found = False
        end = start
        for key, at, end in self._pairs(start):
            if key in book:
                raise _Unfit(f"it has two values for {key!r}")
            if key == "cells" and text[at] == "[":
                before = len(self._cells)
                end = self._list(at)
                book[key] = len(self._cells) - before
                found = True
            elif key == "worksheets" and text[at] == "[":
                book[key], end = self._worksheets(at)
                found = True
            else:
                book[key], end = _scan(text, at)
            self._end = end
        if self._skip(self._end) != len(text):
            raise _Unfit("something stands behind its end")
        if not found:
            raise _Unfit("it has no list of cells")
        _drop(book.get("metadata"), _VOLATILE_BOOK)
        return book

    def _worksheets(self, start: int) -> tuple[list[Any], int]:
        sheets: list[Any] = []
        for at in self._items(start):
            if self._text[at] != "{":
                value, self._end = _scan(self._text, at)
                sheets.append(value)
                continue
            sheet: dict[str, Any] = {}
            for key, place, _ in self._pairs(at):
                if key in sheet:
                    raise _Unfit(f"it has two values for {key!r}")
                if key == "cells" and self._text[place] == "[":
                    before = len(self._cells)
                    self._end = self._list(place)
                    sheet[key] = len(self._cells) - before
                else:
                    sheet[key], self._end = _scan(self._text, place)
            sheets.append(sheet)
        return sheets, self._end

    def _list(self, start: int) -> int:
        for at in self._items(start):
            value, end = _scan(self._text, at)
            self._cells.append((at, end, value))
            self._end = end
        return self._end

    # The two walkers leave the end of each value in `_end`, set by whoever reads the value.
    _end = 0

    def _pairs(self, start: int) -> Iterator[tuple[str, int, int]]:
        """Each key of the object at `start` and where its value begins."""
        text = self._text
        at = self._skip(start + 1)
        if text[at] == "}":
            self._end = at + 1
            return
        while True:
            if text[at] != '"':
                raise _Unfit("it is not JSON")
            key, at = scanstring(text, at + 1, False)
            at = self._skip(at)
            if text[at] != ":":
                raise _Unfit("it is not JSON")
            at = self._skip(at + 1)
            yield key, at, at
            at = self._skip(self._end)
            if text[at] == "}":
                self._end = at + 1
                return
            if text[at] != ",":
                raise _Unfit("it is not JSON")
            at = self._skip(at + 1)

    def _items(self, start: int) -> Iterator[int]:
        """Where each item of the list at `start` begins."""
        text = self._text
        at = self._skip(start + 1)
        if text[at] == "]":
            self._end = at + 1
            return
        while True:
            yield at
            at = self._skip(self._end)
            if text[at] == "]":
                self._end = at + 1
                return
            if text[at] != ",":
                raise _Unfit("it is not JSON")
            at = self._skip(at + 1)

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return at if found is None else found.end()

    def _encode(self, start: int, end: int) -> bytes:
        if self._bytes is not None:
            return self._bytes[start:end]
        return self._text[start:end].encode()

    def _cell(self, start: int, end: int, value: Any) -> tuple[CutCell, bool]:
        raw = self._encode(start, end)
        key = blake3(raw).digest(IDENTITY_SIZE)
        known = _cache.get(key)
        if known is None:
            ranges = self._payloads(start, end, value, raw)
            known = _know(value, ranges)
            _cache.keep(key, known)
        parts, payloads, at, length = [], [], 0, 0
        for first, last in known.ranges:
            parts.append(raw[at:first])
            length += first - at
            payloads.append((length, raw[first:last]))
            at = last
        template = b"".join([*parts, raw[at:]]) if payloads else raw
        cell = CutCell(known.id, known.type, known.identity, template, tuple(payloads))
        return cell, known.is_blank

    def _payloads(
        self, start: int, end: int, value: Any, raw: bytes
    ) -> tuple[tuple[int, int], ...]:
        """Byte ranges, within the cell, of what is large in its outputs and attachments."""
        if end - start < PAYLOAD_BYTES or not isinstance(value, dict):
            return ()
        if not (value.get("outputs") or value.get("attachments")):
            return ()
        before = self._end
        places = [place for place in self._large(start) if place[1] - place[0] >= PAYLOAD_BYTES]
        self._end = before
        if self._bytes is not None or len(raw) == end - start:
            return tuple((first - start, last - start) for first, last in places)
        ranges, at, size = [], start, 0
        for first, last in places:
            size += len(self._text[at:first].encode())
            length = len(self._text[first:last].encode())
            ranges.append((size, size + length))
            size += length
            at = last
        return tuple(ranges)

    def _large(self, start: int) -> Iterator[tuple[int, int]]:
        for key, at, _ in self._pairs(start):
            if key == "outputs" and self._text[at] == "[":
                for item in self._items(at):
                    yield from self._values(item, ("data",))
            elif key == "attachments" and self._text[at] == "{":
                for _, item, _ in self._pairs(at):
                    yield from self._values(item, ())
            else:
                self._end = _scan(self._text, at)[1]

    def _values(self, start: int, deeper: tuple[str, ...]) -> Iterator[tuple[int, int]]:
        """The places of the object's values, and of those of the objects named `deeper`."""
        if self._text[start] != "{":
            self._end = _scan(self._text, start)[1]
            return
        for key, at, _ in self._pairs(start):
            if key in deeper and self._text[at] == "{":
                yield from self._values(at, ())
            else:
                self._end = end = _scan(self._text, at)[1]
                yield at, end
                self._end = end


class _Cache:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: OrderedDict[bytes, _Known] = OrderedDict()

    def get(self, key: bytes) -> _Known | None:
        with self._lock:
            known = self._items.get(key)
            if known is not None:
                self._items.move_to_end(key)
            return known

    def keep(self, key: bytes, known: _Known) -> None:
        with self._lock:
            self._items[key] = known
            while len(self._items) > _CACHED:
                self._items.popitem(last=False)


_cache = _Cache()


def _know(value: Any, ranges: tuple[tuple[int, int], ...]) -> _Known:
    if not isinstance(value, dict):
        return _Known(None, "", _identity(value), ranges, is_blank=True)
    name, kind = value.get("id"), value.get("cell_type")
    source = value.get("source", value.get("input", ""))
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    _drop(value.get("metadata"), _VOLATILE_CELL)
    return _Known(
        name if isinstance(name, str) else None,
        kind if isinstance(kind, str) else "",
        _identity(value),
        ranges,
        is_blank=not text.strip(),
    )


def _identity(value: Any) -> bytes:
    return blake3(_canonical(value)).digest(IDENTITY_SIZE)


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _drop(metadata: Any, names: tuple[str, ...]) -> None:
    if isinstance(metadata, dict):
        for name in names:
            metadata.pop(name, None)


def _version(book: dict[str, Any]) -> tuple[int, int] | None:
    major, minor = book.get("nbformat"), book.get("nbformat_minor", 0)
    if isinstance(major, int) and isinstance(minor, int) and 0 <= major < 256 and 0 <= minor < 256:
        return major, minor
    return None
