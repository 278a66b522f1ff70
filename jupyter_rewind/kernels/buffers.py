"""Large memory in pieces: which have changed since the capture before, one copy at a time.

A piece is 256 KB at a fixed place of its buffer: an edit in place costs its piece, and each
piece is stored as a difference from what stood in its place before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from xxhash import xxh3_128_digest

from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.block import Block

PIECE = 1 << 18
HASH = 16
_STEP = 8
"""So many pieces are read in a few tenths of a millisecond."""
_TRIES = 4
"""So many differences are tried in a buffer that changed everywhere; where none of them is small,
the rest is stored whole."""


class Watching(Protocol):
    """Knows of memory that was not written, without reading it."""

    def place(self, view: memoryview) -> tuple[int, int]: ...
    def unwritten(self, view: memoryview, before: BufferState | None) -> tuple[set[int], bool]: ...


@dataclass(slots=True)
class BufferState:
    """One buffer as of a capture. `fresh` shows the changed pieces until they are stored, which is
    before the user's code runs again; or else holds them."""

    size: int
    hashes: bytes
    digests: list[Digest | None]
    fresh: dict[int, memoryview | bytes] = field(default_factory=dict)
    before: BufferState | None = None
    direct: bool = False
    """What is rebuilt reads it straight into its own memory."""
    place: tuple[int, int] | None = None
    """Where it was at the last look, and how long it is; known only where writes are watched."""
    is_watched: bool = False
    is_calm: bool = False
    """It had not changed at the last look."""

    @property
    def fresh_bytes(self) -> int:
        return sum(map(len, self.fresh.values()))

    def hold(self) -> None:
        """What changed is copied: the user's code may run before it is stored."""
        self.fresh = {number: self._copy(number) for number in self.fresh}

    def drop(self) -> None:
        """What changed is not held any more, nor is the user's memory; it cannot be stored."""
        self.fresh.clear()

    def take(self, number: int) -> bytes | None:
        """A copy of the piece, if it changed; it is let go here."""
        if number not in self.fresh:
            return None
        piece = self._copy(number)
        del self.fresh[number]
        return piece

    def _copy(self, number: int) -> bytes:
        piece = bytes(self.fresh[number])
        # A thread may have written to it since it was looked at: what counts is what is kept.
        name, at = xxh3_128_digest(piece), number * HASH
        if self.hashes[at : at + HASH] != name:
            self.hashes = self.hashes[:at] + name + self.hashes[at + HASH :]
        return piece

    @property
    def is_stored(self) -> bool:
        return None not in self.digests

    def names(self) -> list[Digest]:
        """The digests of all pieces, which are stored."""
        return [name for name in self.digests if name is not None]


def look(
    view: memoryview,
    before: BufferState | None,
    direct: bool = False,
    memory: Watching | None = None,
    check: Callable[[], None] = lambda: None,
) -> BufferState:
    """The buffer as it is; of pieces that differ from `before`, it shows the user's memory.
    `check` is called every few pieces, and may raise."""
    size = view.nbytes
    place, kept, is_watched = None, set[int](), False
    if memory is not None:
        place = memory.place(view)
        kept, is_watched = memory.unwritten(view, before)
    known = before.hashes if before is not None else b""
    hashes = []
    fresh: dict[int, memoryview | bytes] = {}
    for number, start in enumerate(range(0, size, PIECE)):
        at = number * HASH
        if number in kept:
            hashes.append(known[at : at + HASH])
            continue
        if not number % _STEP:
            check()
        piece = view[start : start + PIECE]
        name = xxh3_128_digest(piece)
        hashes.append(name)
        if known[at : at + HASH] != name:
            fresh[number] = piece
    if before is not None and not fresh and before.size == size and before.direct == direct:
        before.place, before.is_watched, before.is_calm = place, is_watched, True
        return before
    digests: list[Digest | None] = [None] * len(hashes)
    return BufferState(size, b"".join(hashes), digests, fresh, before, direct, place, is_watched)


def is_same(one: BufferState, other: BufferState) -> bool:
    return one is other or (
        (one.size, one.direct) == (other.size, other.direct) and one.hashes == other.hashes
    )


def pair(views: Sequence[memoryview], before: Sequence[BufferState]) -> list[BufferState | None]:
    """For each buffer the earlier one that it most likely was: the one in its place, else the
    next of its size."""
    left = dict(enumerate(before))
    found: list[BufferState | None] = [None] * len(views)
    for number, view in enumerate(views):
        if number in left and left[number].size == view.nbytes:
            found[number] = left.pop(number)
    by_size: dict[int, list[int]] = {}
    for number, state in left.items():
        by_size.setdefault(state.size, []).append(number)
    for number, view in enumerate(views):
        if found[number] is None and by_size.get(view.nbytes):
            found[number] = left.pop(by_size[view.nbytes].pop(0))
    for number in range(len(views)):
        # Grown or shrunk in its place: what stands in front may be the same.
        if found[number] is None and number in left:
            found[number] = left.pop(number)
    return found


def store(state: BufferState, block: Block) -> None:
    """Every piece of the buffer has its digest, and is in `block` where it is new."""
    if state.is_stored:
        return
    old = state.before.digests if state.before is not None else []
    state.digests[: len(old)] = old[: len(state.digests)]
    tries, gained = 0, False
    for number in sorted(state.fresh):
        piece = state.take(number)
        if piece is None:
            continue
        is_worth_it = gained or tries < _TRIES or block.is_plain
        base = old[number] if number < len(old) and is_worth_it else None
        written = block.written_bytes
        state.digests[number] = block.put_chunk(piece, base=base)
        if base is not None:
            tries += 1
            gained = gained or block.written_bytes - written < len(piece) // 2
    state.before = None
