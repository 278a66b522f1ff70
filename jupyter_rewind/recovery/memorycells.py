"""Notebooks in a piece of a process's memory: rows of whole cells, as a program sent or read them.

Memory is full of halves and of things that look alike: only cells that read whole count, and only
those that stand in a row are told as one document. Bytes may be UTF-8, Latin-1 or UTF-16.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jupyter_rewind.recovery.broken.beginnings import Beginnings, find_anchor
from jupyter_rewind.recovery.broken.cellbytes import CellBytes, Read
from jupyter_rewind.recovery.broken.encodings import to_utf8
from jupyter_rewind.recovery.broken.jsonbytes import Broken, JsonBytes
from jupyter_rewind.recovery.evidence import EvidenceCell
from jupyter_rewind.recovery.normal import cell_of

_KEY = b'"cell_type"'
_WIDE_KEY = '"cell_type"'.encode("utf-16-le")
_BETWEEN = re.compile(rb"\s*+,\s*+\{")
_PATH = re.compile(rb'"path"\s*:\s*("(?:[^"\\\x00-\x1f]|\\.){1,1000}+")')
_SAVED = re.compile(rb'"last_modified"\s*:\s*"([0-9T:.+Z-]{10,40})"')
_TOKEN = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\.)*+"|[{}\[\]]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]')
_CONTENT = re.compile(rb'"content"\s*+:\s*+\Z')
_METADATA = re.compile(rb'\s*+\]\s*+,\s*+"metadata"\s*+:\s*+(?=\{)')
_HEAD = re.compile(rb'"cells"\s*+:\s*+\[\s*+\Z')
_TAIL = re.compile(rb"\s*+\]")
_BEFORE = 4096
_LONGEST_HEAD = 1 << 20
_MOST_SHARED = 64
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif"})
_ENOUGH = 24


@dataclass(slots=True)
class Row:
    """Cells that stand one behind the other. `is_begun` and `is_ended` tell a notebook's borders.

    `path` is the notebook's and `saved_ns` when it was saved like this, where what stands before it
    says so. `start` and `end` are places.
    """

    cells: list[EvidenceCell] = field(default_factory=list)
    start: int = 0
    end: int = 0
    path: str = ""
    saved_ns: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    is_begun: bool = False
    is_ended: bool = False
    pieces: int = 1
    """From how many places in memory it was joined."""

    @property
    def is_complete(self) -> bool:
        return self.is_begun and self.is_ended

    @property
    def says_something(self) -> bool:
        return any(cell.source.strip() for cell in self.cells)


def find_rows(raw: bytes) -> tuple[list[Row], int | None]:
    """All rows in `raw`, and where a row begins that goes on behind its end (None: none does)."""
    rows: list[Row] = []
    open_at: int | None = None
    if _KEY in raw:
        rows, open_at = _find(raw, "utf-8")
    at = raw.find(_WIDE_KEY)
    if at >= 0:
        last = raw.rfind(_WIDE_KEY)
        first = max(at % 2, at - _LONGEST_HEAD)
        first += (at - first) % 2
        wide, _ = _find(to_utf8(raw[first : last + (1 << 23)], "utf-16-le", 0), "utf-8")
        rows += wide
    return [row for row in rows if row.says_something], open_at


def _find(raw: bytes, encoding: str) -> tuple[list[Row], int | None]:
    reader = JsonBytes(raw, encoding)
    beginnings = Beginnings(reader)
    rows: list[Row] = []
    at = 0
    open_at: int | None = None
    while (anchor := find_anchor(raw, at)) is not None:
        low = max(at, anchor.start() - _LONGEST_HEAD)
        start = beginnings.find(anchor.start(), low, beginnings.indent(anchor.start()))
        if start is None:
            at = anchor.end()
            continue
        row = _row(raw, start)
        if row.end >= len(raw) - 1:
            open_at = start
        if row.cells:
            rows.append(row)
        at = max(row.end if row.cells else 0, anchor.end())
    return rows, open_at


def _row(raw: bytes, start: int) -> Row:
    """The row of whole cells that begins at `start`."""
    row = Row(start=start, end=start)
    utf8, latin = JsonBytes(raw), JsonBytes(raw, "latin-1")
    at = start
    while True:
        read = CellBytes(utf8).read(at)
        if read.broken is not None and read.broken < len(raw) and raw[read.broken] >= 0x80:
            read = CellBytes(latin).read(at)
        row.end = max(row.end, read.end)
        if read.broken is not None or not _is_cell(read) or _is_altered(read):
            break
        row.cells.append(cell_of(read.members))
        row.end = read.end
        following = _BETWEEN.match(raw, read.end)
        if following is None:
            break
        at = following.end() - 1
    _frame(raw, row, utf8)
    return row


def _is_cell(read: Read) -> bool:
    return isinstance(read.members.get("cell_type"), str) and read.source is not None


def _is_altered(read: Read) -> bool:
    """Whether a picture's base64 has spaces: a copy in which each plus sign became one.

    Servers make such copies of what they take for a form; their code is altered as well.
    """
    outputs = read.members.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        data = output.get("data") if isinstance(output, dict) else None
        for mime, value in data.items() if isinstance(data, dict) else ():
            if mime in _PICTURES and isinstance(value, str) and " " in value:
                return True
    return False


def _frame(raw: bytes, row: Row, reader: JsonBytes) -> None:
    """What stands before and behind the row tells of its notebook."""
    before = raw[max(0, row.start - _BEFORE) : row.start]
    row.is_begun = _HEAD.search(before) is not None
    row.is_ended = _TAIL.match(raw, row.end) is not None
    if row.is_begun:
        row.path, row.saved_ns = _path_in(before)
    behind = _METADATA.match(raw, row.end)
    if behind is not None:
        try:
            value, _ = reader.value(behind.end())
        except Broken:
            return
        row.metadata = value if isinstance(value, dict) else {}


def _path_in(before: bytes) -> tuple[str, int | None]:
    """The path, and the time of the last save, in the same object as the content whose list of
    cells begins where `before` ends.

    What else stands before it in memory may be of any notebook.
    """
    for found in reversed(list(_PATH.finditer(before))):
        if _is_outside_content(before[found.end() :]):
            try:
                return str(json.loads(found[1])), _saved_in(before[found.end() :])
            except ValueError:
                continue
    return "", None


def _saved_in(text: bytes) -> int | None:
    """When Jupyter's server says that what it sends was saved."""
    found = _SAVED.search(text)
    if found is None:
        return None
    try:
        when = datetime.fromisoformat(found[1].decode("ascii"))
    except ValueError:
        return None
    return None if when.tzinfo is None else int(when.timestamp() * 1e6) * 1000


def _is_outside_content(text: bytes) -> bool:
    """Whether `text` goes on in one object, then into its `content` and a list there."""
    opened: list[bytes] = []
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word[:1] == b'"':
            continue
        if word in b"{[":
            if not opened and not _CONTENT.search(text, 0, token.start()):
                opened.append(b"?")
            opened.append(word)
        elif word in b"}]" and opened and opened[-1] in b"{[":
            opened.pop()
            if opened == [b"?"]:
                opened.clear()
        else:
            return False
    return opened == [b"{", b"["]


def largest(rows: list[Row], most: int) -> list[Row]:
    """The rows that say the most, without those that another one says too."""
    plain = {_without_plus(row) for row in rows if _has_plus(row)}
    rows = [row for row in rows if _has_plus(row) or _without_plus(row) not in plain]
    kept: list[tuple[Row, frozenset[int]]] = []
    seen: set[tuple[int, ...]] = set()
    for row in sorted(rows, key=_says, reverse=True):
        told = tuple(hash(_told(cell)) for cell in row.cells)
        own = frozenset(told)
        if told in seen or any(own <= known for _, known in kept):
            continue
        seen.add(told)
        kept.append((row, own))
        if len(kept) == most:
            break
    return [row for row, _ in kept]


def _says(row: Row) -> tuple[int, int, bool, int]:
    """How much the row says: of two states of a notebook, the one with more text is the newer."""
    text = sum(len(cell.source) for cell in row.cells)
    return len(row.cells), text, bool(row.path), row.saved_ns or 0


def _has_plus(row: Row) -> bool:
    return any("+" in cell.source for cell in row.cells)


def _without_plus(row: Row) -> int:
    """Equal for a row and for its copy in which plus signs became spaces."""
    return hash(tuple(cell.source.replace("+", " ") for cell in row.cells))


class Rows:
    """Rows as they are found, each content once: a program may hold a notebook a hundred times."""

    def __init__(self) -> None:
        self.kept: dict[int, Row] = {}

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            told = hash((tuple(map(_told, row.cells)), row.is_begun, row.is_ended))
            known = self.kept.get(told)
            if known is None or _says(row) > _says(known):
                self.kept[told] = row

    def join(self) -> list[Row]:
        return join_rows(list(self.kept.values()))


def join_rows(rows: list[Row]) -> list[Row]:
    """`rows` with those joined of which one ends as the other begins: a notebook in pieces."""
    joined = largest(rows, len(rows))
    at = 0
    while at < len(joined):
        row = joined[at]
        follower = _follower(row, joined)
        if follower is None:
            at += 1
            continue
        other, shared = follower
        joined.remove(other)
        joined[joined.index(row)] = _joined(row, other, shared)
        at = 0
    return largest(joined, len(joined))


def _follower(row: Row, rows: list[Row]) -> tuple[Row, int] | None:
    """The row that goes on where this one ends, and how many cells they share."""
    if row.is_ended:
        return None
    best: tuple[Row, int] | None = None
    for other in rows:
        if other is row or other.is_begun:
            continue
        shared = _shared(row.cells, other.cells)
        if shared and (best is None or shared > best[1]):
            best = (other, shared)
    return best


def _shared(first: list[EvidenceCell], second: list[EvidenceCell]) -> int:
    """How many cells the first ends and the second begins with; 0 if they say too little."""
    for count in range(min(len(first), len(second), _MOST_SHARED), 0, -1):
        ours, theirs = first[-count:], second[:count]
        if [_told(cell) for cell in ours] == [_told(cell) for cell in theirs]:
            said = max(len(cell.source) for cell in ours)
            return count if said >= _ENOUGH else 0
    return 0


def _joined(row: Row, other: Row, shared: int) -> Row:
    return Row(
        [*row.cells, *other.cells[shared:]],
        row.start,
        row.end,
        row.path or other.path,
        row.saved_ns,
        other.metadata or row.metadata,
        row.is_begun,
        other.is_ended,
        row.pieces + other.pieces,
    )


def _told(cell: EvidenceCell) -> tuple[str, str, str]:
    return cell.kind, cell.source, repr(cell.outputs)
