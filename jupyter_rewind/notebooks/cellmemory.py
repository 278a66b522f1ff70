"""What was found out about cells, so that a cell whose bytes stayed is not read again.

Cells are known by a digest of their bytes, and so is which cell followed which: in the next save
most cells follow the one they followed before, and one hash of the bytes proves it. No bytes are
kept. What is remembered only saves time; it never decides what a cell is.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeVar

from blake3 import blake3

KEY_SIZE = 16
_REMEMBERED = 50_000
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CellFacts:
    """What the bytes of a cell say. `spans` are the byte ranges of its payloads, in order."""

    key: bytes
    length: int
    id: str | None
    type: str
    identity: bytes
    spans: tuple[tuple[int, int], ...]
    is_blank: bool


class CellMemory:
    """Facts about the cells met last. Thread-safe."""

    def __init__(self, limit: int = _REMEMBERED) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._facts: OrderedDict[bytes, CellFacts] = OrderedDict()
        self._followers: OrderedDict[bytes, bytes] = OrderedDict()

    def get(self, key: bytes) -> CellFacts | None:
        """The facts about the cell with these bytes."""
        with self._lock:
            facts = self._facts.get(key)
            if facts is not None:
                self._facts.move_to_end(key)
            return facts

    def follower(self, before: bytes, raw: memoryview, at: int) -> CellFacts | None:
        """The facts about the cell at `at`, if it is the one that followed `before` last time."""
        with self._lock:
            key = self._followers.get(before)
            facts = self._facts.get(key) if key is not None else None
        if facts is None or cell_key(raw[at : at + facts.length]) != facts.key:
            return None
        return facts

    def note(self, before: bytes, facts: CellFacts) -> None:
        """This cell follows the one with key `before`."""
        with self._lock:
            _keep(self._facts, facts.key, facts, self._limit)
            _keep(self._followers, before, facts.key, self._limit)

    def clear(self) -> None:
        with self._lock:
            self._facts.clear()
            self._followers.clear()


def cell_key(raw: bytes | memoryview) -> bytes:
    """What a cell is remembered by: a digest of its bytes."""
    return blake3(raw).digest(KEY_SIZE)


def _keep(items: OrderedDict[bytes, _T], key: bytes, value: _T, limit: int) -> None:
    items[key] = value
    items.move_to_end(key)
    while len(items) > limit:
        items.popitem(last=False)
