"""The store as a kernel writes it: one segment writer, no index, nothing that waits for a server.

What this process has put is known from memory; what others have put is read from their segments,
and only when something asks for it. Commits are process-safe at once (they survive a kill) and
power-safe within a second. Everybody else finds the entries through the index, as usual.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from jupyter_rewind import clock
from jupyter_rewind.errors import Integrity, NotFound, Storage
from jupyter_rewind.model.entry import Entry, order_behind
from jupyter_rewind.model.ids import Digest, EntryId, StoreId, WriterId
from jupyter_rewind.store import chunks
from jupyter_rewind.store.block import Block
from jupyter_rewind.store.cache import RawCache
from jupyter_rewind.store.durable import Files, translate
from jupyter_rewind.store.framing import HEAD_SIZE, Kind, Record, seal_of
from jupyter_rewind.store.layout import Layout, open_layout
from jupyter_rewind.store.locks import Barrier, ProcessLock
from jupyter_rewind.store.moving import note_taken, require_same_store
from jupyter_rewind.store.opened import OpenSegments
from jupyter_rewind.store.partial import Payloads, read_segment
from jupyter_rewind.store.place import Place
from jupyter_rewind.store.places import Places
from jupyter_rewind.store.presence import Presence
from jupyter_rewind.store.shut import is_segment
from jupyter_rewind.store.writer import SegmentWriter

log = logging.getLogger(__name__)
_OPEN_SEGMENTS = 32
_RECENT_BYTES = 4 << 20


class KernelStore:
    """A store, open for one kernel. Thread-safe; blocks of several threads wait for one another,
    so whoever may not wait takes a `companion`."""

    def __init__(self, layout: Layout, files: Files) -> None:
        self.layout = layout
        self.files = files
        self._writer = SegmentWriter(layout, files, power_safe=False)
        self._barrier = Barrier(layout.barrier)
        self._lock = ProcessLock()
        self._learning = ProcessLock()
        self._places = Places(self._depth)
        self._entries: dict[EntryId, Entry] = {}
        self._expired: set[EntryId] = set()
        self._scanned: dict[str, tuple[int, int]] = {}
        self._folder_time = -1
        self._segments = OpenSegments(layout, files, most=_OPEN_SEGMENTS)
        self._recent = RawCache(_RECENT_BYTES)
        self._partial = Payloads(layout, files, apart=True)
        self._presence = Presence(layout, files, self._partial, self._known_place, self._told_from)
        self._last_order = 0

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        key_folder: Path,
        create: bool = True,
        encrypt: bool = False,
        files: Files | None = None,
    ) -> KernelStore:
        """The store at `folder`, made first where there is none and `create` says so.

        Raises NotFound, Denied, Integrity (not its key), Newer, Format, Storage.
        """
        files = files or Files()
        return cls(open_layout(folder, key_folder, files, create=create, encrypt=encrypt), files)

    @property
    def store_id(self) -> StoreId:
        return self.layout.store_id

    def companion(self) -> KernelStore:
        """The same store with a writer of its own."""
        return KernelStore(self.layout, self.files)

    # --- writing ------------------------------------------------------------------------

    @contextmanager
    def block(self, *, patience_seconds: float = 60.0, plain: bool = False) -> Iterator[Block]:
        """What the block puts and adds survives a kill of this process when the block has ended;
        an exception in it leaves the store as it was. A `plain` one compresses nothing.

        Raises Storage; Unavailable, before the block begins, when bytes are being removed from the
        store for so long.
        """
        with (
            self._lock,
            self._barrier.held(exclusive=False, patience_seconds=patience_seconds),
        ):
            self._notice_removed()
            block = Block(self, self._writer, plain=plain)
            try:
                yield block
                if not block.entries:
                    self._writer.abort()
                    return
                self._presence.flush()
                batch = self._writer.commit(block.entries, ())
            except BaseException:
                self._writer.abort()
                raise
            self._learn_moved()
            self._own(batch.records, batch.end, block.entries)
            for name, raw in block.recent:
                self._recent.keep(name, raw)
            self._end_commit()

    def _end_commit(self) -> None:
        self._writer.rotate_if_large()

    def _learn_moved(self) -> None:
        moved = self._writer.take_moved()
        for one in moved.batches:
            self._own(one.records, one.end, one.commit.entries)
        for name in moved.segments:
            self.forget_segment(name)
        note_taken(self.layout, self.files, moved)

    def _own(self, records: Sequence[Record], end: int, entries: Sequence[Entry]) -> None:
        name = self._writer.segment
        self.learn(name, records, end, entries)

    def learn(
        self, name: str, records: Sequence[Record], end: int, entries: Sequence[Entry]
    ) -> None:
        """This process has just written that to the segment, up to `end`."""
        with self._learning:
            for one in records:
                # The newest: what it replaces was laid aside, and will go.
                self._places.put(one.id, Place.of(name, one))
            self._entries.update((entry.id, entry) for entry in entries)
            self._scanned[name] = (end, end)

    def forget_segment(self, name: str) -> None:
        """The segment is gone, and what stood there alone."""
        with self._learning:
            self._scanned.pop(name, None)
            self._places.forget({name})
        self._segments.close_one(name)

    def next_order(self) -> int:
        """A place in the order of entries, behind everything this process has seen."""
        self._last_order = order_behind(self._last_order, clock.now_ns())
        return self._last_order

    @property
    def segment(self) -> WriterId:
        """The segment that this process last wrote to here; empty before the first time."""
        return self._writer.segment

    def sync(self) -> None:
        """All that was acknowledged is on the disk now."""
        self._writer.sync_now()

    def forget_recent(self) -> None:
        """No content is remembered to spare a look into the segments."""
        self._recent.clear()

    def close(self) -> None:
        with self._lock:
            self._writer.close()
            self._learn_moved()
            self._barrier.close()
            self._segments.close()

    # --- reading ------------------------------------------------------------------------

    def knows(self, digest: Digest) -> bool:
        """True when this process has stored or seen the content, and it was not taken away."""
        return digest in self._places and self.is_here(digest)

    def is_here(self, digest: Digest) -> bool:
        """False for content that this process knows to lie in a replica alone."""
        return self._presence.has(digest)

    def require(self, digests: Collection[Digest]) -> None:
        """Nothing, when all of it is stored. Raises NotFound; Unavailable for what lies in a
        replica alone that cannot be read now, or has no room here."""
        for digest in digests:
            if digest not in self._places:
                self.place(digest)
        for digest in self._presence.lacking(digests):
            self.get(digest)
            self.is_here(digest)  # from now on it is relied on

    def place(self, digest: Digest) -> Place:
        """Where the content stands. Raises NotFound; Unavailable in another store's place."""
        if (found := self._places.get(digest)) is None:
            self.refresh()
            found = self._places.get(digest)
        if found is None:
            require_same_store(self.layout)
            raise NotFound(f"The store has no content {digest.hex()[:12]}.")
        return found

    def get(self, digest: Digest) -> bytes:
        """The content named `digest`, checked against it. Raises NotFound, Integrity."""
        return self._get(digest, 0)

    def get_into(self, digest: Digest, target: memoryview) -> None:
        """The content stands in `target`, which is as long as it. Raises NotFound, Integrity."""
        place = self.place(digest)
        if place.raw != len(target):
            raise Integrity(f"Content {digest.hex()[:12]} has {place.raw} bytes.")
        if place.codec == chunks.Codec.RAW and not self.layout.is_encrypted:
            with suppress(NotFound):  # collected since it was found: it may stand elsewhere by now
                count = self._segments.read_into(place.segment, target, place.offset + HEAD_SIZE)
                if count == len(target) and chunks.digest(target) == digest:
                    return
        target[:] = self.get(digest)

    def refresh(self) -> None:
        """Commits of other processes can be seen. Raises Storage, Newer."""
        with self._lock:
            self._notice_removed()
            for name, status in self._segment_files().items():
                if status != self._scanned.get(name) and name != self._writer.open_segment:
                    self._scan(name, status)

    def entries(
        self, *, kind: str | None = None, key: str | None = None, newest_first: bool = False
    ) -> list[Entry]:
        """Entries in order as of the last refresh, of this kind and with this key where given."""
        found = [
            entry
            for entry in list(self._entries.values())
            if (kind is None or entry.kind == kind)
            and (key is None or key in entry.keys)
            and entry.id not in self._expired
        ]
        return sorted(found, key=lambda one: (one.order, one.id), reverse=newest_first)

    def entry(self, name: EntryId) -> Entry:
        """Raises NotFound, also for an entry that has expired."""
        if name not in self._entries:
            self.refresh()
        if name not in self._entries or name in self._expired:
            raise NotFound(f"The store has no entry {name}.")
        return self._entries[name]

    def depth(self, digest: Digest) -> int:
        """How many deltas a read of this content goes through. Raises NotFound, Integrity."""
        return self._depth(self.place(digest))

    def ground(self, digest: Digest) -> Digest:
        """The full content at the end of the row of deltas. Raises NotFound, Integrity."""
        while (place := self.place(digest)).codec == chunks.Codec.DELTA:
            digest = self._segments.base(place.segment, place.offset, place.stored)[1]
        return digest

    def _get(self, digest: Digest, depth: int) -> bytes:
        recent = self._recent.get(digest)
        if recent is not None:
            return recent
        if depth > 2 * chunks.MAX_DEPTH:
            raise Integrity(f"Chunk {digest.hex()[:12]} hangs on too long a row of deltas.")
        place = self.place(digest)
        where = f"segment {place.segment} at byte {place.offset}"
        try:
            payload = self._payload(place)
        except NotFound:
            # Collected since it was found: it may stand elsewhere by now.
            self.refresh()
            place = self.place(digest)
            payload = self._payload(place)
        try:
            payload = seal_of(self.layout, place.segment).show(place.record(digest), payload)
        except Integrity:
            self._places.drop(digest)
            raise
        below = lambda base: self._get(base, depth + 1)  # noqa: E731
        raw = chunks.unpack(place.codec, payload, place.raw, below)
        if chunks.digest(raw) != digest:
            self._places.drop(digest)
            raise Integrity(
                f"Content {digest.hex()[:12]} is damaged in {where}.",
                hint="`jupyter rewind verify` shows all that is damaged.",
            )
        return raw

    def _payload(self, place: Place) -> bytes:
        replica = self._partial.places().get(place.segment)
        if replica is not None and place.kind == Kind.CHUNK:
            return self._partial.get(place.segment, replica, place.record(Digest(b"")))
        return self._stored(place)

    def _known_place(self, digest: Digest) -> list[tuple[str, Record]]:
        place = self._places.get(digest)
        return [] if place is None else [(place.segment, place.record(digest))]

    def _told_from(self, segment: str, record: Record) -> Digest:
        return self._segments.base(segment, record.offset, record.stored)[1]

    def _stored(self, place: Place) -> bytes:
        data = self._segments.read(place.segment, place.stored, place.offset + HEAD_SIZE)
        if len(data) != place.stored:
            raise Integrity(f"Segment {place.segment} is cut short at byte {place.offset}.")
        return data

    # --- what others do -----------------------------------------------------------------

    def _scan(self, name: str, status: tuple[int, int]) -> None:
        try:
            descriptor = self.files.open(self.layout.segments / name)
        except NotFound:
            return
        except Storage as error:
            # What another user wrote, and this one may not read, costs no commit.
            log.info("segment %s is left out: %s", name, error)
            return
        try:
            scan = read_segment(self.layout, name, descriptor).scan(0)
        finally:
            self.files.close(descriptor)
        with self._learning:
            for batch in scan.batches:
                self._places.add(name, batch.records)
                self._entries.update((entry.id, entry) for entry in batch.commit.entries)
                self._expired.update(batch.commit.expired)
                for entry in batch.commit.entries:
                    self._last_order = max(self._last_order, entry.order)
            self._scanned[name] = status

    def _depth(self, place: Place) -> int:
        if place.codec != chunks.Codec.DELTA:
            return 0
        return self._segments.base(place.segment, place.offset, place.stored)[0]

    def _notice_removed(self) -> None:
        """Content of segments that a collect took away is not known any more."""
        try:
            changed = os.stat(self.layout.segments).st_mtime_ns
        except OSError as error:
            raise translate(error, "look into", self.layout.segments) from error
        if changed == self._folder_time:
            return
        present = self._segment_files()
        with self._learning:
            gone = {name for name in self._scanned if name not in present}
            if gone:
                self._places.forget(gone)
                for name in gone:
                    del self._scanned[name]
                    self._segments.close_one(name)
        # A folder changed this very moment may change again within the same tick of its clock.
        settled = changed < clock.now_ns() - 2_000_000_000
        self._folder_time = changed if settled else -1

    def _segment_files(self) -> dict[str, tuple[int, int]]:
        found = {}
        try:
            with os.scandir(self.layout.segments) as items:
                for item in items:
                    # Emacs locks what it edits by a link of a name with a dot, which leads nowhere.
                    if item.name.startswith("."):
                        continue
                    status = item.stat()
                    if is_segment(item.name, status):
                        found[item.name] = (status.st_size, status.st_mtime_ns)
        except FileNotFoundError:
            # Removed while we looked: the second look sees what replaced it.
            return self._segment_files() if self.layout.segments.is_dir() else {}
        except OSError as error:
            raise translate(error, "read the segments in", self.layout.segments) from error
        return found


class ContentSource(Protocol):
    """What reading a snapshot asks of a store: a KernelStore or a Repository."""

    @property
    def layout(self) -> Layout: ...
    def get(self, digest: Digest) -> bytes: ...
