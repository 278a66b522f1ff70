"""What every commit is gathered by: content put aside under its name, and entries that name it.

A server's and the command line's (`transaction`) and a kernel's (`block`) differ in how they know
what is stored already and in how they pack; what a node, an entry and a difference are is the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

from jupyter_rewind import clock
from jupyter_rewind.errors import Integrity, NotFound, Storage
from jupyter_rewind.model.encoding import encode_node
from jupyter_rewind.model.entry import Entry, Json
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store import chunks
from jupyter_rewind.store.framing import Kind
from jupyter_rewind.store.writer import SegmentWriter


class Grounds(Protocol):
    """What any store tells of the content it has."""

    def get(self, digest: Digest) -> bytes: ...
    def depth(self, digest: Digest) -> int: ...
    def ground(self, digest: Digest) -> Digest: ...
    def next_order(self) -> int: ...


class Gathering(ABC):
    """Collects one commit."""

    def __init__(self, grounds: Grounds, writer: SegmentWriter) -> None:
        self._grounds = grounds
        self._writer = writer
        self._new: set[Digest] = set()
        self.entries: list[Entry] = []

    def put_node(
        self, body: bytes, links: Sequence[Digest], *, base: Digest | None = None
    ) -> Digest:
        """The name of a node that keeps `links` alive; stored as a difference from `base`, an
        earlier node, where that is smaller. Raises NotFound when a link names nothing."""
        self._require(links)
        raw = encode_node(body, links)
        name = chunks.digest(raw)
        if name not in self._new and not self._has_node(name):
            self._put(Kind.NODE, name, raw, base)
        return name

    def add(
        self,
        kind: str,
        *,
        keys: Sequence[str],
        body: Mapping[str, Json],
        roots: Sequence[Digest] = (),
    ) -> Entry:
        """The new entry; its id and its place in the order are final, unless the block fails.
        Raises NotFound when a root names nothing."""
        self._require(roots)
        entry = Entry(
            EntryId(clock.new_id()), kind, self._grounds.next_order(), tuple(keys), body,
            tuple(roots),
        )  # fmt: skip
        self.entries.append(entry)
        return entry

    @abstractmethod
    def _require(self, names: Sequence[Digest]) -> None:
        """Nothing, when all of these are stored. Raises NotFound."""

    @abstractmethod
    def _has_node(self, name: Digest) -> bool: ...

    @abstractmethod
    def _put(
        self, kind: Kind, name: Digest, raw: bytes | memoryview, base: Digest | None
    ) -> None: ...

    def _stage(
        self, kind: Kind, codec: int, raw_size: int, name: Digest, payload: bytes | memoryview
    ) -> None:
        self._writer.stage(kind, codec, raw_size, name, payload)
        self._new.add(name)

    def _delta(
        self, raw: bytes | memoryview, base: Digest | None
    ) -> tuple[chunks.Codec, bytes, Digest] | None:
        """`raw` as a difference and what it is told from: `base`, or where a row of deltas has
        become as long as it may, the full content at the row's end, which is most often still
        close. None where that is no gain."""
        if base is None or base in self._new:
            return None
        try:
            depth = self._grounds.depth(base)
            if depth >= chunks.MAX_DEPTH:
                base, depth = self._grounds.ground(base), 0
            found = chunks.pack_delta(bytes(raw), base, self._grounds.get(base), depth)
        except (Integrity, NotFound, Storage):
            # What is damaged, not at hand, or may not be read, is no ground to stand on; the whole
            # is stored.
            return None
        return None if found is None else (*found, base)
