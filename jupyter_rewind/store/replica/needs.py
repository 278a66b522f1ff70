"""What segments that wait to be shown build on, and do not bring along.

This store may have collected what another machine still names. Such a segment is brought back,
but only where something that comes names what it holds: else each pull would undo the last
collect.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack, suppress

from jupyter_rewind.errors import Integrity, NotFound
from jupyter_rewind.model.encoding import decode_node
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store import chunks
from jupyter_rewind.store.framing import Kind, Record
from jupyter_rewind.store.partial import read_segment
from jupyter_rewind.store.replica.arrival import waiting_path
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.segments import SegmentReader


class Needs:
    """What the waiting segments hold and name. Close it."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._open = ExitStack()
        self._places: dict[Digest, tuple[SegmentReader, Record]] = {}
        self._entries: dict[EntryId, Entry] = {}
        self._expired: set[EntryId] = set()
        with repository.index() as index:
            self._expired |= index.expired_marks()

    def __enter__(self) -> Needs:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def add(self, segments: Iterable[str]) -> None:
        """These will be shown."""
        for name in segments:
            reader = self._reader(name)
            for batch in reader.scan(0).batches:
                self._expired.update(batch.commit.expired)
                for record in batch.records:
                    self._places.setdefault(record.id, (reader, record))
                for entry in batch.commit.entries:
                    self._entries[entry.id] = entry

    def missing(self) -> set[Digest]:
        """What their entries lead to, and neither they nor the store hold."""
        found: set[Digest] = set()
        seen: set[Digest] = set()
        wait = [root for entry in self._fresh_entries() for root in entry.roots]
        while wait:
            digest = wait.pop()
            if digest in seen:
                continue
            seen.add(digest)
            if digest in self._places:
                wait += self._named_by(digest)
            elif not self._repository.has(digest):
                found.add(digest)
        return found

    def holding(self, digests: set[Digest], segments: Iterable[str]) -> set[str]:
        """Those of the waiting `segments` that hold some of `digests`."""
        found = set()
        for name in segments:
            batches = self._reader(name).scan(0).batches
            if any(record.id in digests for batch in batches for record in batch.records):
                found.add(name)
        return found

    def _fresh_entries(self) -> list[Entry]:
        """What the store has, or has let expire, needs no more than the store holds."""
        with self._repository.index() as index:
            return [
                entry
                for name, entry in self._entries.items()
                if name not in self._expired and not index.has_place(name)
            ]

    def _named_by(self, digest: Digest) -> list[Digest]:
        reader, record = self._places[digest]
        named: list[Digest] = []
        if record.codec == chunks.Codec.DELTA:
            named.append(reader.base(record)[1])
        if record.kind == Kind.NODE:
            # What it is told from may be missing; that is found by its own name.
            with suppress(NotFound):
                named += decode_node(self._content(digest))[1]
        return named

    def _content(self, digest: Digest) -> bytes:
        if digest not in self._places:
            return self._repository.get(digest)
        reader, record = self._places[digest]
        raw = chunks.unpack(record.codec, reader.shown(record), record.raw, self._content)
        if chunks.digest(raw) != digest:
            raise Integrity(f"Content {digest.hex()[:12]} does not read.")
        return raw

    def _reader(self, segment: str) -> SegmentReader:
        layout, files = self._repository.layout, self._repository.files
        path = waiting_path(layout, segment)
        descriptor = files.open(path)
        self._open.callback(files.close, descriptor)
        return read_segment(layout, segment, descriptor)
