"""The store as its users see it: read content and entries, and change them in transactions.

Owns the order of writes: content first, then the commit record that names it; and nothing is
named that is not surely on the disk, also where another process wrote it. Knows no notebook.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import Internal, NotFound, RewindError, Storage
from jupyter_rewind.model.encoding import decode_node
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import Digest, EntryId, StoreId
from jupyter_rewind.store.catalog import Catalog
from jupyter_rewind.store.content import ContentReader
from jupyter_rewind.store.disks import is_network
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.framing import Seal, seal_of
from jupyter_rewind.store.index import Index
from jupyter_rewind.store.indexfile import INDEX_NAME, forget_beside, make_own_folder
from jupyter_rewind.store.layout import Layout, open_layout
from jupyter_rewind.store.locks import Barrier, ProcessLock
from jupyter_rewind.store.moving import note_taken, require_same_store
from jupyter_rewind.store.partial import read_segment
from jupyter_rewind.store.replica.arrival import finish_arrival, is_arriving
from jupyter_rewind.store.segments import Batch, Gap, SegmentReader
from jupyter_rewind.store.transaction import Transaction
from jupyter_rewind.store.witness import note_segments
from jupyter_rewind.store.writer import SegmentWriter

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Node:
    """A chunk that names others."""

    body: bytes
    links: tuple[Digest, ...]


class Repository:
    """One store, open in this process. Thread-safe; any number of processes may have it open."""

    def __init__(
        self,
        layout: Layout,
        *,
        index_path: Path | None,
        files: Files,
        durability: str = "power",
    ) -> None:
        self.layout = layout
        self.files = files
        self._catalog = Catalog(layout, files, index_path)
        self._content = ContentReader(layout, files, self._catalog)
        self._writer = SegmentWriter(layout, files, power_safe=durability == "power")
        self._write_lock = ProcessLock()
        self._pid = clock.process()
        self._barrier = Barrier(layout.barrier)
        self._writing = False
        self._noted = ("", 0)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        key_folder: Path,
        index_path: Path | None = None,
        create: bool = True,
        encrypt: bool = False,
        files: Files | None = None,
        durability: str = "power",
    ) -> Repository:
        """The store at `folder`, made first where there is none and `create` says so.

        `index_path` is where the index goes; None means beside the segments, or in the user's
        cache where those lie on a network file system. That of an encrypted store, which names
        notebooks and labels, is in memory. A store that is made is encrypted where `encrypt` says.
        Raises NotFound, Denied, Integrity (not its key), Newer, Format, Storage.
        """
        files = files or Files()
        layout = open_layout(folder, key_folder, files, create=create, encrypt=encrypt)
        if is_arriving(layout):
            try:
                finish_arrival(layout, files)
            except Storage as error:
                # A store that nobody may write to can be read all the same.
                log.warning("what a pull had brought is not all shown yet: %s", error)
        if layout.is_encrypted:
            # A process that had the store open in the clear may have made one again.
            forget_beside(layout.folder)
        place = None if layout.is_encrypted else index_path or default_index_path(layout)
        if place is not None:
            try:
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                log.warning("no folder for the index at %s (%s)", place.parent, error)
        return cls(layout, index_path=place, files=files, durability=durability)

    @property
    def store_id(self) -> StoreId:
        return self.layout.store_id

    @property
    def folder(self) -> Path:
        return self.layout.folder

    # --- changing -----------------------------------------------------------------------

    @contextmanager
    def transaction(self, *, exclusive: bool = False) -> Iterator[Transaction]:
        """What the block puts and adds is durable when the block has ended; an exception in it
        leaves the store as it was.

        What the block reads is fresh when it first asks: a block that only adds does not wait for
        what others have added. `exclusive` keeps every other writer of the store out meanwhile.
        Raises Storage; Unavailable when others hold the store for a minute.
        """
        with self._write_lock:
            if self._pid != clock.process():
                # Another thread of the parent may have been writing when this child was forked.
                self._pid, self._writing = clock.process(), False
            if self._writing:
                raise Internal("A transaction was begun inside another one.")
            self._writing = True
            try:
                with self._barrier.held(exclusive=exclusive):
                    if exclusive:
                        self._catalog.refresh()
                    else:
                        self._catalog.doubt()
                    yield from self._run()
                if self._writer.end and self._writer.segment != self._noted[0]:
                    self._note_segments()
            finally:
                self._writing = False

    def _run(self) -> Iterator[Transaction]:
        transaction = Transaction(self, self._writer)
        try:
            yield transaction
            # Also where nothing is to be added: what was found here counts as kept from now on.
            self._content.flush()
            if transaction.is_empty:
                self._writer.abort()
                return
            self._sync_others(transaction.unsynced)
            batch = self._writer.commit(transaction.entries, transaction.expired)
        except BaseException:
            self._writer.abort()
            raise
        self._learn([batch])
        self._writer.rotate_if_large()

    def _learn(self, fresh: Sequence[Batch]) -> None:
        """These commits can be found, and those that had to be made again."""
        moved = self._writer.take_moved()
        for one in sorted([*moved.batches, *fresh], key=lambda one: one.start):
            synced = one.end if self._writer.power_safe else 0
            self._catalog.add_own(self._writer.segment, one, synced)
        for name in moved.segments:
            log.warning("segment %s was taken away; what it held stands elsewhere now", name)
            self._catalog.distrust(name)
        note_taken(self.layout, self.files, moved)

    def _sync_others(self, segments: set[str]) -> None:
        """Content that another process wrote a moment ago is on the disk before we name it."""
        for name in segments - {self._writer.open_segment}:
            path = self.layout.segments / name
            descriptor = self.files.open(path)
            try:
                self.files.sync_data(descriptor, path)
            finally:
                self.files.close(descriptor)

    def end_segment(self) -> None:
        """The segment being written is closed; the next commit begins another."""
        with self._write_lock:
            if self._writing:
                raise Internal("A segment was to be closed inside a transaction.")
            self._close_segment()

    def _close_segment(self) -> None:
        self._writer.close()
        self._learn(())
        if self._writer.synced and self._noted != (self._writer.segment, self._writer.synced):
            self._note_segments()

    def _note_segments(self) -> None:
        """The store remembers its segments, with and after the first commit of this one. Never
        fails: a commit that stands is not undone for want of a witness."""
        noted = (self._writer.segment, self._writer.synced)
        try:
            ends = self._catalog.ask(Index.synced_ends)
            if noted[1]:
                ends[noted[0]] = max(noted[1], ends.get(noted[0], 0))
            note_segments(self.layout, self.files, ends)
            self._catalog.ask(Index.forget_remembered)
        except RewindError as error:
            log.info("the segments were not noted: %s", error)
        self._noted = noted

    def companion(self) -> Repository:
        """The same store, open once more with a writer of its own: upkeep through it does not
        make this one's commits wait. Raises Unavailable where another one took its place."""
        with self._catalog.index() as index:
            place = index.path
        # What took its place may be encrypted, and no index is to lie in that.
        require_same_store(self.layout)
        return Repository(self.layout, index_path=place, files=self.files)

    def next_order(self) -> int:
        """A place in the order of entries, behind everything this process has seen."""
        return self._catalog.next_order()

    # --- reading ------------------------------------------------------------------------

    def refresh(self) -> None:
        """Commits of other processes can be seen. Raises Storage, Newer."""
        self._catalog.refresh()
        self._content.close_removed()

    def get(self, digest: Digest) -> bytes:
        """The content named `digest`, checked against it.

        Raises NotFound, and Integrity when every stored copy is damaged.
        """
        return self._content.get(digest)

    def get_blob(self, digests: Sequence[Digest]) -> bytes:
        """The content that was cut into `digests`. Raises NotFound, Integrity."""
        if len(digests) == 1:
            return self._content.get(digests[0])
        return bytes(self._content.get_buffer(digests))

    def get_buffer(self, digests: Sequence[Digest]) -> bytearray:
        """As `get_blob`, into memory of its own that the caller may change; no copy is made."""
        return self._content.get_buffer(digests)

    def get_node(self, digest: Digest) -> Node:
        """The node named `digest`. Raises NotFound, Integrity, Newer."""
        return Node(*decode_node(self.get(digest)))

    def has(self, digest: Digest) -> bool:
        """True when the content is stored, if only in a replica, as far as was seen at the last
        refresh."""
        return digest in self._catalog.known([digest])

    def known(self, digests: Sequence[Digest]) -> dict[Digest, str]:
        """Those that are stored here; the value names a segment that may not be on the disk yet."""
        return self._content.without_absent(self._catalog.known(digests))

    def holds(self, digests: Sequence[Digest]) -> bool:
        """True when all of these are stored here, and those that came from a replica are on the
        disk. Raises Storage."""
        is_here = len(self.known(digests)) == len(set(digests))
        if is_here:
            self._content.flush()
        return is_here

    def bring(self, digests: Sequence[Digest]) -> None:
        """What of these is stored in a replica alone is here, unless there is no room for it.
        Raises Unavailable, Integrity."""
        here = self.known(digests)
        for digest in digests:
            if digest not in here and self.has(digest):
                self._content.get(digest)

    def depth(self, digest: Digest) -> int:
        """How many deltas a read of this content goes through. Raises NotFound, Integrity."""
        return self._content.depth(digest)

    def ground(self, digest: Digest) -> Digest:
        """The full content at the end of the row of deltas. Raises NotFound, Integrity."""
        while (below := self.delta_base(digest)) is not None:
            digest = below
        return digest

    def delta_base(self, digest: Digest) -> Digest | None:
        """What the content is stored as a difference from, or None. Raises NotFound, Integrity."""
        return self._content.base(digest)

    def entry(self, name: EntryId) -> Entry:
        """Raises NotFound, also for an entry that has expired."""
        found = self._catalog.ask(lambda index: index.entry(name))
        if found is None:
            raise NotFound(f"The store has no entry {name}.")
        return found

    def entries(
        self,
        *,
        kind: str | None = None,
        kinds: Sequence[str] = (),
        key: str | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> list[Entry]:
        """Entries in order, of this kind (or these) and with this key where given."""
        kinds = [*kinds, kind] if kind is not None else list(kinds)
        return self._catalog.ask(
            lambda index: index.entries(
                kinds=kinds, key=key, newest_first=newest_first, limit=limit
            )
        )

    def latest(self, *, kinds: Sequence[str], key: str) -> Entry | None:
        """The last entry in order of these kinds with this key."""
        found = self._catalog.ask(
            lambda index: index.entries(kinds=kinds, key=key, newest_first=True, limit=1)
        )
        return found[0] if found else None

    def count(self, *, kind: str, key: str) -> int:
        """How many entries of this kind have this key."""
        return self._catalog.ask(lambda index: index.count(kind, key))

    def entry_ids(self, prefix: str, *, kind: str) -> list[EntryId]:
        """The ids of this kind that start so, in alphabetical order."""
        return self._catalog.ask(lambda index: index.entry_ids(prefix, kind))

    def keys(self, prefix: str) -> list[str]:
        """The distinct keys of entries that start so, in alphabetical order."""
        return self._catalog.ask(lambda index: index.keys(prefix))

    def gaps(self) -> list[tuple[str, Gap]]:
        """Damage met while reading the segments: what is listed may be incomplete."""
        return self._catalog.gaps()

    def shut(self) -> dict[str, str]:
        """The segments of which this user may not read all, and why."""
        return self._catalog.shut()

    @contextmanager
    def index(self) -> Iterator[Index]:
        """The index itself, for upkeep; nobody else of this process uses it meanwhile."""
        with self._catalog.index() as index:
            yield index

    def forget_read(self) -> None:
        """What is read next comes from the segments, whatever was read before."""
        self._content.forget()

    @property
    def writer(self) -> SegmentWriter:
        return self._writer

    @contextmanager
    def reader(self, segment: str) -> Iterator[SegmentReader]:
        """Reads the segment's records as they stand in its file. Raises NotFound, Storage."""
        path = self.layout.segments / segment
        descriptor = self.files.open(path)
        try:
            yield read_segment(self.layout, segment, descriptor, path.stat().st_size)
        finally:
            self.files.close(descriptor)

    def seal(self, segment: str) -> Seal:
        return seal_of(self.layout, segment)

    def close(self) -> None:
        """Everything acknowledged is on the disk, and nothing is held any more."""
        with self._write_lock:
            self._close_segment()
            self._content.close()
            self._catalog.close()
            self._barrier.close()

    def __enter__(self) -> Repository:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def default_index_path(layout: Layout) -> Path | None:
    """Beside the segments; in the user's cache where those lie on a network file system. None
    where there is no place that nobody else can write to."""
    if not is_network(layout.folder):
        return layout.folder / INDEX_NAME
    cache = Path.home() / ".cache"
    if is_network(cache):
        cache = Path("/var/tmp") / f"rewind-{clock.user()}"
        # What all may write to holds what anybody made: an index tells what may be collected.
        if not make_own_folder(cache):
            log.warning("%s belongs to somebody else: the index stays in memory", cache)
            return None
    return cache / "jupyter-rewind" / layout.store_id / INDEX_NAME
