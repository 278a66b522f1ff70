"""What one commit will hold: content put aside, entries that name it, entries that expire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from jupyter_rewind import clock
from jupyter_rewind.errors import Integrity, NotFound
from jupyter_rewind.model.encoding import encode_node
from jupyter_rewind.model.entry import Entry, Json
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store import chunks
from jupyter_rewind.store.segments import OVERHEAD, Kind
from jupyter_rewind.store.writer import SegmentWriter


class Known(Protocol):
    """What a transaction asks of the store it belongs to."""

    def known(self, digests: Sequence[Digest]) -> dict[Digest, str]: ...
    def get(self, digest: Digest) -> bytes: ...
    def refresh(self) -> None: ...
    def next_order(self) -> int: ...
    def delta_depth(self, digest: Digest) -> int: ...
    def delta_base(self, digest: Digest) -> Digest | None: ...


class Transaction:
    """Collects one commit; made by `Repository.transaction`, and durable when that block ends."""

    def __init__(self, store: Known, writer: SegmentWriter) -> None:
        self._store = store
        self._writer = writer
        self._new: set[Digest] = set()
        self.entries: list[Entry] = []
        self.expired: list[EntryId] = []
        self.unsynced: set[str] = set()
        self._copied = False

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to commit: content alone, named by nothing, does not count."""
        return not (self.entries or self.expired or self._copied)

    @property
    def written_bytes(self) -> int:
        """Bytes that the content of this transaction takes in the segment so far."""
        return self._writer.staged_bytes

    def put(self, data: bytes | memoryview) -> tuple[Digest, ...]:
        """The names of `data`'s chunks: one, or several where it is large. What is stored
        already costs a hash."""
        pieces = chunks.cut(data)
        names = [chunks.digest(piece) for piece in pieces]
        have = self._have(names)
        for name, piece in zip(names, pieces, strict=True):
            if name not in have and name not in self._new:
                codec, payload = chunks.pack(piece)
                self._stage(Kind.CHUNK, codec, len(piece), name, payload)
        return tuple(names)

    def put_node(
        self, body: bytes, links: Sequence[Digest], *, base: Digest | None = None
    ) -> Digest:
        """The name of a node that keeps `links` alive; stored as a difference from `base`, an
        earlier node, where that is smaller. Raises NotFound when a link names nothing."""
        self._require(links)
        raw = encode_node(body, links)
        name = chunks.digest(raw)
        if name in self._new or (self._have([name]) and self._reads(name)):
            return name
        packed = self._delta(raw, base) if base is not None else None
        codec, payload = packed or chunks.pack(raw)
        self._stage(Kind.NODE, codec, len(raw), name, payload)
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
            EntryId(clock.new_id()), kind, self._store.next_order(), tuple(keys), body,
            tuple(roots),
        )  # fmt: skip
        self.entries.append(entry)
        return entry

    def expire(self, ids: Iterable[EntryId]) -> None:
        """These entries vanish with the commit; collect frees what only they kept. Decide under
        `exclusive`, or another writer may build on what goes."""
        self.expired.extend(ids)

    def copy_record(
        self, kind: Kind, codec: int, raw_size: int, name: Digest, payload: bytes
    ) -> None:
        """The stored form of a chunk, written again although it is stored elsewhere: for upkeep."""
        self._stage(kind, codec, raw_size, name, payload)
        self._copied = True

    def copy_entry(self, entry: Entry) -> None:
        """The same entry, written again into this writer's segment: for upkeep."""
        self.entries.append(entry)

    def _stage(
        self, kind: Kind, codec: int, raw_size: int, name: Digest, payload: bytes | memoryview
    ) -> None:
        self._writer.stage(kind, codec, raw_size, name, payload)
        self._new.add(name)

    def _reads(self, name: Digest) -> bool:
        """False for a node that is stored as a difference from something lost: store it again."""
        try:
            self._store.get(name)
        except (Integrity, NotFound):
            return False
        return True

    def _have(self, names: Sequence[Digest]) -> dict[Digest, str]:
        found = self._store.known(names)
        self.unsynced.update(segment for segment in found.values() if segment)
        return found

    def _require(self, names: Sequence[Digest]) -> None:
        wanted = [name for name in names if name not in self._new]
        if not wanted:
            return
        found = self._have(wanted)
        if len(found) < len(set(wanted)):
            # Named to us by a process that has just stored it.
            self._store.refresh()
            found = self._have(wanted)
        missing = next((name for name in wanted if name not in found), None)
        if missing is not None:
            raise NotFound(f"Content {missing.hex()[:12]} is to be named but is not stored.")

    def _delta(self, raw: bytes, base: Digest) -> tuple[chunks.Codec, bytes] | None:
        if base in self._new:
            return None
        try:
            base, depth = self._ground(base)
            found = chunks.pack_delta(raw, base, self._store.get(base), depth)
        except (Integrity, NotFound):
            # A damaged predecessor is no ground to stand on; the whole is stored instead.
            return None
        if found is not None:
            self._require([base])
        return found

    def _ground(self, base: Digest) -> tuple[Digest, int]:
        """What a difference is told from: `base`, or where a row of deltas has become as long as
        it may, the full content at the row's end, which is most often still close."""
        depth = self._store.delta_depth(base)
        if depth < chunks.MAX_DEPTH:
            return base, depth
        while (below := self._store.delta_base(base)) is not None:
            base = below
        return base, 0


def record_size(stored: int) -> int:
    """Bytes on disk of a record whose payload has `stored` bytes."""
    return OVERHEAD + stored
