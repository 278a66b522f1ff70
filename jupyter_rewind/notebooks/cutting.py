"""A notebook's bytes, cut where its JSON has cells and payloads; joined, they are the same bytes.

The bytes are cut and not the model: no reformatting, no schema, any nbformat that keeps a list of
cells (1 to 4). A notebook is gaps and cells in turn, a cell is a template with payloads (outputs
and attachments of 512 bytes and more) cut out of it. What cannot be cut is a file, kept whole,
with words on why. Never raises for what the bytes are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from blake3 import blake3

from jupyter_rewind.notebooks.cellmemory import CellFacts, CellMemory, cell_key
from jupyter_rewind.notebooks.scanning import ReadMember, Scanner

IDENTITY_SIZE = 16
PAYLOAD_BYTES = 512
_BOM = b"\xef\xbb\xbf"
_VOLATILE_CELL = ("execution", "trusted")
_VOLATILE_BOOK = ("signature",)
_memory = CellMemory()


@dataclass(frozen=True, slots=True)
class CutCell:
    """One cell of `raw`, the bytes of the whole notebook."""

    raw: bytes = field(repr=False)
    start: int
    facts: CellFacts

    @property
    def id(self) -> str | None:
        return self.facts.id

    @property
    def type(self) -> str:
        return self.facts.type

    @property
    def identity(self) -> bytes:
        """Equal for cells that say the same, volatile metadata aside."""
        return self.facts.identity

    @property
    def key(self) -> bytes:
        """Equal for cells with the same bytes."""
        return self.facts.key

    @property
    def end(self) -> int:
        return self.start + self.facts.length

    @property
    def template(self) -> bytes:
        """The cell's bytes without its payloads."""
        edges = [0, *(edge for span in self.facts.spans for edge in span), self.facts.length]
        view = memoryview(self.raw)[self.start : self.end]
        return b"".join(
            view[first:last] for first, last in zip(edges[::2], edges[1::2], strict=True)
        )

    @property
    def payloads(self) -> tuple[tuple[int, memoryview], ...]:
        """Each payload, and the offset in the template at which it was cut out."""
        view = memoryview(self.raw)[self.start : self.end]
        found = []
        taken = 0
        for first, last in self.facts.spans:
            found.append((first - taken, view[first:last]))
            taken += last - first
        return tuple(found)

    def join(self) -> bytes:
        """The very bytes of the cell."""
        return self.raw[self.start : self.end]


@dataclass(frozen=True, slots=True)
class Cut:
    """All bytes of one state, in parts.

    `identity` says what the state says: formatting and volatile metadata (execution times, trust)
    do not count.
    """

    kind: str
    raw: bytes = field(repr=False)
    identity: bytes
    cells: tuple[CutCell, ...] = ()
    nbformat: tuple[int, int] | None = None
    problem: str = ""
    is_distinct: bool = True
    """False for states like those of many other notebooks: empty ones."""

    @property
    def gaps(self) -> tuple[bytes, ...]:
        """What stands before, between and behind the cells; a file is one gap."""
        ends = [0, *(cell.end for cell in self.cells)]
        starts = [*(cell.start for cell in self.cells), len(self.raw)]
        return tuple(self.raw[end:start] for end, start in zip(ends, starts, strict=True))

    def join(self, cells: Sequence[bytes] | None = None) -> bytes:
        """The very bytes; or those with other bytes for each cell."""
        if cells is None:
            return self.raw
        gaps = self.gaps
        parts = [gaps[0]]
        for cell, gap in zip(cells, gaps[1:], strict=True):
            parts += (cell, gap)
        return b"".join(parts)

    @property
    def size(self) -> int:
        return len(self.raw)


class _Unfit(ValueError):
    """JSON that is not a notebook; says why."""


def join_payloads(
    template: bytes, payloads: Sequence[tuple[int, bytes | bytearray | memoryview]]
) -> bytes:
    """`template` with each payload put in at its offset."""
    if not payloads:
        return template
    parts: list[bytes | bytearray | memoryview] = []
    at = 0
    for offset, payload in payloads:
        parts += (template[at:offset], payload)
        at = offset
    parts.append(template[at:])
    return b"".join(parts)


def cut(raw: bytes) -> Cut:
    """`raw` in parts: kind "notebook", or "file" with words on the problem."""
    try:
        return _Cutter(raw).cut()
    except _Unfit as error:
        problem = str(error)
    except RecursionError:
        problem = "it is nested too deeply"
    except UnicodeDecodeError:
        problem = "it is not UTF-8"
    except ValueError:
        problem = "it is not JSON"
    return Cut(
        "file",
        raw,
        blake3(raw).digest(IDENTITY_SIZE),
        problem=problem if raw else "it is empty",
        is_distinct=len(raw.strip()) >= 32,
    )


def forget_cells() -> None:
    """The next cut reads every cell anew; for measurements and tests."""
    _memory.clear()


class _Cutter:
    """One walk over the bytes of a notebook."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._view = memoryview(raw)
        self._scanner = Scanner(raw)
        self._cells: list[CutCell] = []
        self._found = False
        self._before = b""

    def cut(self) -> Cut:
        scanner = self._scanner
        start = scanner.skip(len(_BOM) if self._raw.startswith(_BOM) else 0)
        if not scanner.starts(start, "{"):
            raise _Unfit("it is not a JSON object")
        _, end = scanner.members(start, self._top)
        if scanner.skip(end) != len(self._raw):
            raise _Unfit("something stands behind its end")
        if not self._found:
            raise _Unfit("it has no list of cells")
        book = self._frame()
        identity = blake3(_canonical(book))
        for cell in self._cells:
            identity.update(cell.identity)
        return Cut(
            "notebook",
            self._raw,
            identity.digest(IDENTITY_SIZE),
            tuple(self._cells),
            _version(book),
            is_distinct=not all(cell.facts.is_blank for cell in self._cells),
        )

    def _top(self, key: str, at: int) -> tuple[Any, int]:
        if key == "worksheets" and self._scanner.starts(at, "["):
            self._found = True
            return self._scanner.items(at, self._sheet)
        return self._list_of_cells(key, at)

    def _sheet(self, at: int) -> tuple[Any, int]:
        if self._scanner.starts(at, "{"):
            return self._scanner.members(at, self._list_of_cells)
        return self._scanner.value(at)

    def _list_of_cells(self, key: str, at: int) -> tuple[Any, int]:
        if key == "cells" and self._scanner.starts(at, "["):
            self._found = True
            return self._scanner.items(at, self._cell)
        return self._scanner.value(at)

    def _cell(self, at: int) -> tuple[None, int]:
        # A number alone does not show where it ends: 12 begins as 1 does. An object does.
        is_object = self._scanner.starts(at, "{")
        facts = _memory.follower(self._before, self._view, at) if is_object else None
        if facts is None:
            facts = self._examine(at)
            _memory.note(self._before, facts)
        self._before = facts.key
        self._cells.append(CutCell(self._raw, at, facts))
        return None, at + facts.length

    def _examine(self, at: int) -> CellFacts:
        spans: list[tuple[int, int]] = []
        value, end = _CellReader(self._scanner, spans).read(at)
        raw = self._raw[at:end]
        key = cell_key(raw)
        known = _memory.get(key)
        if known is not None:
            return known
        if not raw.isascii():
            value = json.loads(raw.decode(), strict=False)
        return _examined(key, len(raw), value, tuple((a - at, b - at) for a, b in spans))

    def _frame(self) -> dict[str, Any]:
        """The notebook with a zero for each of its cells."""
        hollow: list[bytes | memoryview] = []
        at = 0
        for cell in self._cells:
            hollow += (self._view[at : cell.start], b"0")
            at = cell.end
        hollow.append(self._view[at:])
        book: dict[str, Any] = json.loads(b"".join(hollow).decode("utf-8-sig"), strict=False)
        if _count_cells(book) != len(self._cells):
            raise _Unfit("it has two lists of cells in one place")
        _drop(book.get("metadata"), _VOLATILE_BOOK)
        return book


class _CellReader:
    """Reads a cell, and notes in `spans` where its large outputs and attachments are."""

    def __init__(self, scanner: Scanner, spans: list[tuple[int, int]]) -> None:
        self._scanner = scanner
        self._spans = spans

    def read(self, at: int) -> tuple[Any, int]:
        return self._object(at, self._member)

    def _object(self, at: int, read: ReadMember) -> tuple[Any, int]:
        if self._scanner.starts(at, "{"):
            return self._scanner.members(at, read)
        return self._scanner.value(at)

    def _member(self, key: str, at: int) -> tuple[Any, int]:
        if key == "outputs" and self._scanner.starts(at, "["):
            return self._scanner.items(at, lambda place: self._object(place, self._part))
        if key == "attachments":
            return self._object(at, lambda _, place: self._object(place, self._payload))
        return self._scanner.value(at)

    def _part(self, key: str, at: int) -> tuple[Any, int]:
        # Formats before 4 put the MIME payloads straight into the output.
        return self._object(at, self._payload) if key == "data" else self._payload(key, at)

    def _payload(self, _: str, at: int) -> tuple[Any, int]:
        value, end = self._scanner.value(at)
        if end - at >= PAYLOAD_BYTES:
            self._spans.append((at, end))
        return value, end


def _examined(key: bytes, length: int, value: Any, spans: tuple[tuple[int, int], ...]) -> CellFacts:
    cell = value if isinstance(value, dict) else {}
    name, kind = cell.get("id"), cell.get("cell_type")
    source = cell.get("source", cell.get("input", ""))
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    _drop(cell.get("metadata"), _VOLATILE_CELL)
    return CellFacts(
        key=key,
        length=length,
        id=name if isinstance(name, str) else None,
        type=kind if isinstance(kind, str) else "",
        identity=blake3(_canonical(value)).digest(IDENTITY_SIZE),
        spans=spans,
        is_blank=not text.strip() and not cell.get("outputs") and not cell.get("attachments"),
    )


def _count_cells(book: dict[str, Any]) -> int:
    sheets = book.get("worksheets")
    holders = [book, *(sheets if isinstance(sheets, list) else [])]
    lists = [one.get("cells") for one in holders if isinstance(one, dict)]
    return sum(len(one) for one in lists if isinstance(one, list))


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _drop(metadata: Any, names: tuple[str, ...]) -> None:
    if isinstance(metadata, dict):
        for name in names:
            metadata.pop(name, None)


def _version(book: dict[str, Any]) -> tuple[int, int] | None:
    major, minor = book.get("nbformat"), book.get("nbformat_minor", 0)
    if isinstance(major, int) and isinstance(minor, int) and 0 <= major < 255 and 0 <= minor < 255:
        return major, minor
    return None
