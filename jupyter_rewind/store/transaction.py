"""What one commit will hold: content put aside, entries that name it, entries that expire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from jupyter_rewind.errors import Denied, Integrity, NotFound, Unavailable
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store import chunks
from jupyter_rewind.store.framing import OVERHEAD, Kind
from jupyter_rewind.store.gathering import Gathering, Grounds
from jupyter_rewind.store.partial import ABSENT
from jupyter_rewind.store.writer import SegmentWriter


class Known(Grounds, Protocol):
    """What a transaction asks of the store it belongs to."""

    def has(self, digest: Digest) -> bool: ...
    def known(self, digests: Sequence[Digest]) -> dict[Digest, str]: ...
    def bring(self, digests: Sequence[Digest]) -> None: ...
    def refresh(self) -> None: ...


class Packed(NamedTuple):
    """Content as it will be stored: what `chunks.pack` made of the content named `name`."""

    name: Digest
    raw_size: int
    codec: int
    payload: bytes | memoryview


class Transaction(Gathering):
    """Collects one commit; made by `Repository.transaction`, and durable when that block ends."""

    def __init__(self, store: Known, writer: SegmentWriter) -> None:
        super().__init__(store, writer)
        self._store = store
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

    def put_packed(self, pieces: Sequence[Packed]) -> None:
        """As `put`, for content that was named and packed elsewhere, by several threads perhaps:
        each piece is a chunk. What is stored already is not stored again."""
        have = self._have([piece.name for piece in pieces])
        for name, raw_size, codec, payload in pieces:
            if name not in have and name not in self._new:
                self._stage(Kind.CHUNK, codec, raw_size, name, payload)

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

    def require(self, names: Sequence[Digest]) -> None:
        """These contents are here, as surely as the commit is. Raises NotFound; Unavailable for
        what lies in a replica alone and cannot be fetched, or has no room here."""
        self._require(names)

    def _put(self, kind: Kind, name: Digest, raw: bytes | memoryview, base: Digest | None) -> None:
        told = self._delta(raw, base)
        if told is not None:
            self._require([told[2]])
        codec, payload = told[:2] if told is not None else chunks.pack(raw)
        self._stage(kind, codec, len(raw), name, payload)

    def _has_node(self, name: Digest) -> bool:
        return bool(self._have([name])) and self._reads(name)

    def _reads(self, name: Digest) -> bool:
        """False for a node that is stored as a difference from what is lost, or may not be read:
        store it again."""
        try:
            self._store.get(name)
        except (Integrity, NotFound, Denied):
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
        if len(found) < len(set(wanted)):
            # In a replica alone, perhaps, where others may collect it until we have pushed.
            self._store.bring([name for name in wanted if name not in found])
            found = self._have(wanted)
        missing = next((name for name in wanted if name not in found), None)
        if missing is not None and self._store.has(missing):
            raise Unavailable(
                "Contents that are still only in a replica are needed here and were not kept: there"
                " is no room for them, or their files may not be written to.",
                code=ABSENT,
                hint="Nothing was changed. Free some space, or ask `jupyter rewind doctor`.",
                retryable=True,
            )
        if missing is not None:
            with suppress(NotFound, Integrity):
                self._store.get(missing)  # says so where this user may not read it
            raise NotFound(f"Content {missing.hex()[:12]} is to be named but is not stored.")


def record_size(stored: int) -> int:
    """Bytes on disk of a record whose payload has `stored` bytes."""
    return OVERHEAD + stored
