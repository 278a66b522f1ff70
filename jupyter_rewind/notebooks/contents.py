"""Notebooks as content of the store: cells and payloads are what is shared.

A manifest is a node: a small body that says what the parts are, and links to them in order. The
body has one short record a cell, so that the manifest after an edit is a small difference from
the one before. Format 1, little-endian:

    head    format, kind, nbformat (major, minor; 255 for none), identity, size, cells, gaps
    text    the separator that stands between most cells
    gaps    index and text of each inner gap that differs from it
    chunks  how many links the first gap has, and the last (a file's bytes are its first gap)
    cells   identity, id, type, links of the template, payloads: offset and links of each
"""

from __future__ import annotations

import json
import struct
import threading
from bisect import bisect_left
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any, Generic, TypeVar

from jupyter_rewind.errors import Denied, Format, NotFound, Unavailable
from jupyter_rewind.model.checkpoint import Counts
from jupyter_rewind.model.encoding import check_format
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.model.notebook import FILE, NOTEBOOK, CellRow, Manifest
from jupyter_rewind.notebooks.cutting import Cut, CutCell, cut, join_payloads
from jupyter_rewind.store.repository import Node, Repository
from jupyter_rewind.store.transaction import Transaction

__all__ = [
    "Manifest",
    "count_changes",
    "cut",
    "load_manifest",
    "read_bytes",
    "read_cell",
    "read_notebook",
    "store_cut",
]
MANIFEST_FORMAT = 1
_HEAD = struct.Struct("<HBBB16sQII")
_ONE = struct.Struct("<I")
_TWO = struct.Struct("<II")
_KINDS = (NOTEBOOK, FILE)
_NONE = 255
_REMEMBERED = 32
_REMEMBERED_CELLS = 1 << 15
_MOST_PAIRS = 200_000
_MOST_STEPS = 1_000_000
_Opcode = tuple[str, int, int, int, int]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def store_cut(tx: Transaction, state: Cut, base: Digest | None = None) -> Digest:
    """The name of the manifest of `state`, all of whose parts the transaction now holds.

    `base` is the manifest of the state before, from which the new one is told as a difference.
    A cell that this process stored before costs nothing but its row.
    """
    try:
        return _store(tx, state, base, trust_memory=True)
    except (NotFound, Unavailable, Denied):
        # Stored before, but not in this store, or in a transaction that failed, or collected; or
        # where this user may not read; or in a replica alone, which a save does not wait for.
        return _store(tx, state, base, trust_memory=False)


def _store(tx: Transaction, state: Cut, base: Digest | None, *, trust_memory: bool) -> Digest:
    gaps = state.gaps
    first, *inner = gaps[:-1] if state.cells else gaps
    separator = Counter(inner).most_common(1)[0][0] if inner else b""
    odd = [(index, gap) for index, gap in enumerate(inner, 1) if gap != separator]
    head, tail = tx.put(first), tx.put(gaps[-1]) if state.cells else ()
    major, minor = state.nbformat or (_NONE, _NONE)
    parts = [
        _HEAD.pack(
            MANIFEST_FORMAT, _KINDS.index(state.kind), major, minor, state.identity,
            state.size, len(state.cells), len(odd),
        ),
        _text(separator),
        *(_ONE.pack(index) + _text(gap) for index, gap in odd),
        _TWO.pack(len(head), len(tail)),
    ]  # fmt: skip
    links = [*head, *tail]
    for cell in state.cells:
        place = _places.get(cell.key) if trust_memory else None
        if place is None:
            place = _put_cell(tx, cell)
            _places.keep(cell.key, place)
        parts.append(place.row)
        links.extend(place.links)
    return tx.put_node(b"".join(parts), links, base=base)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a cell lies: its row in a manifest, and the links that belong to it."""

    row: bytes
    links: tuple[Digest, ...]


def _put_cell(tx: Transaction, cell: CutCell) -> _Place:
    name = b"\0" if cell.id is None else b"\1" + cell.id.encode("utf-8", "surrogatepass")
    links = list(tx.put(cell.template))
    parts = [
        cell.identity,
        _text(name),
        _text(cell.type.encode("utf-8", "surrogatepass")),
        _TWO.pack(len(links), len(cell.payloads)),
    ]
    for offset, data in cell.payloads:
        names = tx.put(data)
        links.extend(names)
        parts.append(_TWO.pack(offset, len(names)))
    return _Place(b"".join(parts), tuple(links))


def load_manifest(repository: Repository, digest: Digest) -> Manifest:
    """The cells of a stored state, without their content. Raises NotFound, Integrity, Newer."""
    known = _manifests.get((repository.store_id, digest))
    if known is None:
        known = _decode(repository.get_node(digest))
        _manifests.keep((repository.store_id, digest), known)
    return known


def read_bytes(repository: Repository, digest: Digest) -> bytes:
    """The very bytes of a stored state. Raises NotFound, Integrity, Newer."""
    manifest = load_manifest(repository, digest)
    parts = [repository.get_blob(manifest.first)] if manifest.first else []
    for index, cell in enumerate(manifest.cells):
        parts.append(_cell_bytes(repository, cell))
        if index < len(manifest.cells) - 1:
            parts.append(manifest.odd_gaps.get(index + 1, manifest.separator))
    if manifest.last:
        parts.append(repository.get_blob(manifest.last))
    return b"".join(parts)


def read_cell(repository: Repository, manifest: Manifest, index: int) -> dict[str, Any]:
    """One cell as a JSON object; {} for one that is not an object. Raises Integrity."""
    value = json.loads(_cell_bytes(repository, manifest.cells[index]), strict=False)
    return value if isinstance(value, dict) else {}


def read_notebook(repository: Repository, digest: Digest) -> dict[str, Any]:
    """A stored notebook as a JSON object. Raises Format for what is no notebook, Integrity."""
    manifest = load_manifest(repository, digest)
    if manifest.kind != NOTEBOOK:
        raise Format(
            "This state is not a notebook.",
            hint="It is kept as a file: `jupyter rewind show --raw` gives its bytes.",
        )
    text = read_bytes(repository, digest).decode("utf-8-sig")
    value = json.loads(text, strict=False)
    if not isinstance(value, dict):
        raise Format("This state is JSON, but not a notebook.")
    return value


def count_changes(before: Manifest | None, after: Cut | Manifest) -> Counts:
    """How many cells were added, changed and removed; by id, without ids by what they say."""
    old = [(cell.id, cell.identity) for cell in before.cells] if before else []
    new = [(cell.id, cell.identity) for cell in after.cells]
    old_ids, new_ids = [name for name, _ in old], [name for name, _ in new]
    if None in old_ids or None in new_ids or len(set(old_ids)) < len(old_ids):
        return _count_aligned([one for _, one in old], [one for _, one in new])
    if len(set(new_ids)) < len(new_ids):
        return _count_aligned([one for _, one in old], [one for _, one in new])
    was, is_ = dict(old), dict(new)
    changed = sum(name in was and was[name] != one for name, one in is_.items())
    added, removed = len(is_.keys() - was.keys()), len(was.keys() - is_.keys())
    return Counts(len(new), added, changed, removed)


def _count_aligned(old: Sequence[bytes], new: Sequence[bytes]) -> Counts:
    same = sum(1 for _ in takewhile(_are_equal, zip(old, new, strict=False)))
    old, rest = old[same:], new[same:]
    tail = sum(1 for _ in takewhile(_are_equal, zip(reversed(old), reversed(rest), strict=False)))
    old, rest = old[: len(old) - tail], rest[: len(rest) - tail]
    added = changed = removed = 0
    for way, i1, i2, j1, j2 in _opcodes(old, rest):
        if way == "equal":
            continue
        both = min(i2 - i1, j2 - j1)
        changed += both
        removed += i2 - i1 - both
        added += j2 - j1 - both
    return Counts(len(new), added, changed, removed)


def _are_equal(pair: tuple[bytes, bytes]) -> bool:
    return pair[0] == pair[1]


def _opcodes(old: Sequence[bytes], new: Sequence[bytes]) -> Sequence[_Opcode]:
    # The matcher takes time that grows with how often each cell is met on both sides.
    there = Counter(old)
    if sum(there[one] for one in new) > _MOST_PAIRS:
        return [("replace", 0, len(old), 0, len(new))]
    if len(old) * len(new) <= _MOST_STEPS:
        return SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    # Its time grows with the square where much has changed here and there: 44 s for 30 000 cells.
    return _between_anchors(old, new)


def _between_anchors(old: Sequence[bytes], new: Sequence[bytes]) -> list[_Opcode]:
    """As `_opcodes`, by the longest row of cells that stand once on either side, in the same order;
    each in the places of its own part."""
    met, places = Counter(old), Counter(new)
    where = {one: at for at, one in enumerate(new) if places[one] == 1}
    pairs = [(at, where[one]) for at, one in enumerate(old) if met[one] == 1 and one in where]
    found: list[_Opcode] = []
    i1 = j1 = 0
    for i, j in [*_longest_row(pairs), (len(old), len(new))]:
        if pairs and (i > i1 or j > j1):
            found += _opcodes(old[i1:i], new[j1:j])
        i1, j1 = i + 1, j + 1
    return found if pairs else [("replace", 0, len(old), 0, len(new))]


def _longest_row(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of the pairs whose second halves ascend as well."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int | None] = []
    for at, (_, j) in enumerate(pairs):
        rank = bisect_left(ends, j)
        before.append(last[rank - 1] if rank else None)
        ends[rank : rank + 1], last[rank : rank + 1] = [j], [at]
    row: list[tuple[int, int]] = []
    step = last[-1] if last else None
    while step is not None:
        row.append(pairs[step])
        step = before[step]
    return row[::-1]


def _cell_bytes(repository: Repository, cell: CellRow) -> bytes:
    template = repository.get_blob(cell.template)
    payloads = [(offset, repository.get_blob(names)) for offset, names in cell.payloads]
    return join_payloads(template, payloads)


def _text(data: bytes) -> bytes:
    return _ONE.pack(len(data)) + data


class _Reader:
    def __init__(self, node: Node) -> None:
        self._body = node.body
        self._links = node.links
        self._at = self._link = 0

    def take(self, form: struct.Struct) -> tuple[Any, ...]:
        values = form.unpack_from(self._body, self._at)
        self._at += form.size
        return values

    def part(self, size: int) -> bytes:
        data = self._body[self._at : self._at + size]
        if len(data) != size:
            raise ValueError("it is cut short")
        self._at += size
        return data

    def text(self) -> bytes:
        return self.part(self.take(_ONE)[0])

    def links(self, count: int) -> tuple[Digest, ...]:
        found = self._links[self._link : self._link + count]
        if len(found) != count:
            raise ValueError("links are missing")
        self._link += count
        return found


def _decode(node: Node) -> Manifest:
    reader = _Reader(node)
    try:
        number, kind, major, minor, identity, size, cells, odd = reader.take(_HEAD)
        check_format(number, MANIFEST_FORMAT, "A manifest")
        separator = reader.text()
        gaps = {}
        for _ in range(odd):
            index = reader.take(_ONE)[0]
            gaps[index] = reader.text()
        first, last = reader.take(_TWO)
        head = reader.links(first)
        tail_at = last
        tail = reader.links(tail_at)
        rows = tuple(_decode_cell(reader) for _ in range(cells))
        return Manifest(
            kind=_KINDS[kind],
            nbformat=None if major == _NONE else (major, minor),
            size_bytes=size,
            identity=identity,
            cells=rows,
            separator=separator,
            odd_gaps=gaps,
            first=head,
            last=tail,
        )
    except (struct.error, ValueError, IndexError) as error:
        raise Format(f"A manifest cannot be read: {error}.") from error


def _decode_cell(reader: _Reader) -> CellRow:
    identity = reader.part(16)
    name, kind = reader.text(), reader.text()
    template, payloads = reader.take(_TWO)
    links = reader.links(template)
    found = []
    for _ in range(payloads):
        offset, count = reader.take(_TWO)
        found.append((offset, reader.links(count)))
    return CellRow(
        id=name[1:].decode("utf-8", "surrogatepass") if name[:1] == b"\1" else None,
        type=kind.decode("utf-8", "surrogatepass"),
        identity=identity,
        template=links,
        payloads=tuple(found),
    )


class _Recent(Generic[_Key, _Value]):
    """What was met last, by its name; what a name stands for never changes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._items: OrderedDict[_Key, _Value] = OrderedDict()

    def get(self, key: _Key) -> _Value | None:
        with self._lock:
            value = self._items.get(key)
            if value is not None:
                self._items.move_to_end(key)
            return value

    def keep(self, key: _Key, value: _Value) -> None:
        with self._lock:
            self._items[key] = value
            self._items.move_to_end(key)
            while len(self._items) > self._limit:
                self._items.popitem(last=False)


_manifests = _Recent[tuple[str, Digest], Manifest](_REMEMBERED)
_places = _Recent[bytes, _Place](_REMEMBERED_CELLS)
