"""The store as its users see it: read content and entries, and change them in transactions.

Owns the order of writes: content first, then the commit record that names it; and nothing is
named that is not surely on the disk, also where another process wrote it. Knows no notebook.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from jupyter_rewind import clock
from jupyter_rewind.errors import Integrity, Internal, NotFound, RewindError
from jupyter_rewind.model.encoding import decode_node
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import Digest, EntryId, StoreId
from jupyter_rewind.store import chunks
from jupyter_rewind.store.durable import Files, translate
from jupyter_rewind.store.index import INDEX_FORMAT, Index, Place
from jupyter_rewind.store.layout import Layout, is_network, open_layout
from jupyter_rewind.store.locks import holding
from jupyter_rewind.store.segments import Gap, Seal, SegmentReader
from jupyter_rewind.store.transaction import Transaction
from jupyter_rewind.store.writer import SegmentWriter

log = logging.getLogger(__name__)
T = TypeVar("T")
_OPEN_SEGMENTS = 64
_LOCK_SECONDS = 60.0
_SETTLED_NS = 2_000_000_000


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
        self._index = Index(index_path, layout.store_id)
        self._writer = SegmentWriter(layout, files, power_safe=durability == "power")
        self._lock = threading.RLock()
        self._write_lock = threading.RLock()
        self._writing = False
        self._last_order = 0
        self._descriptors: OrderedDict[str, int] = OrderedDict()
        self._quiet: dict[str, tuple[int, int, int]] = {}
        self._pid = clock.pid()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        key_folder: Path,
        index_path: Path | None = None,
        create: bool = True,
        files: Files | None = None,
        durability: str = "power",
    ) -> Repository:
        """The store at `folder`, made first where there is none and `create` says so.

        `index_path` is where the index goes; None means beside the segments, or in the user's
        cache where those lie on a network file system.
        Raises NotFound, Denied, Integrity (not its key), Newer, Format, Storage.
        """
        files = files or Files()
        layout = open_layout(folder, key_folder, files, create=create)
        place = index_path or default_index_path(layout)
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

        The index is fresh when the block begins. `exclusive` keeps every other writer of the
        store out meanwhile. Raises Storage; Unavailable when others hold the store for a minute.
        """
        doing = f"write to the store at {self.folder}"
        with self._write_lock:
            if self._writing:
                raise Internal("A transaction was begun inside another one.")
            with holding(
                self.layout.barrier,
                exclusive=exclusive,
                timeout_seconds=_LOCK_SECONDS,
                doing=doing,
                optional=not exclusive,
            ):
                self._writing = True
                try:
                    self.refresh()
                    transaction = Transaction(self, self._writer)
                    try:
                        yield transaction
                    except BaseException:
                        self._writer.abort()
                        raise
                    self._finish(transaction)
                finally:
                    self._writing = False

    def next_order(self) -> int:
        """A place in the order of entries, behind everything this process has seen."""
        with self._lock:
            seen = max(self._last_order, self._ask(lambda: self._index.last_order()))
            self._last_order = max(clock.now_ns(), seen + 1)
            return self._last_order

    def _finish(self, transaction: Transaction) -> None:
        if transaction.is_empty:
            self._writer.abort()
            return
        try:
            self._sync_others(transaction.unsynced)
            batch = self._writer.commit(transaction.entries, transaction.expired)
        except BaseException:
            self._writer.abort()
            raise
        with self._lock:
            name = self._writer.segment

            def ingest() -> None:
                with self._index.writing():
                    number = self._index.add_segment(name)
                    if self._index.scanned(number) == batch.start:
                        synced = batch.end if self._writer.power_safe else 0
                        self._index.add_batches(number, [batch], batch.end, synced)

            try:
                self._ask(ingest)
            except RewindError as error:
                # The commit is acknowledged by its bytes; the index will be built again.
                log.warning("the index missed a commit: %s", error)
        self._writer.rotate_if_large()

    def _sync_others(self, segments: set[str]) -> None:
        """Content that another process wrote a moment ago is on the disk before we name it."""
        for name in segments - {self._writer.segment}:
            path = self.layout.segments / name
            descriptor = self.files.open(path)
            try:
                self.files.sync_data(descriptor, path)
            finally:
                self.files.close(descriptor)

    # --- reading ------------------------------------------------------------------------

    def refresh(self) -> None:
        """Commits of other processes can be seen. Raises Storage, Newer."""
        with self._lock:
            self._after_fork()
            self._ask(self._refresh)

    def get(self, digest: Digest) -> bytes:
        """The content named `digest`, checked against it.

        Raises NotFound, and Integrity when every stored copy is damaged.
        """
        return self._get(digest, 0)

    def get_blob(self, digests: Sequence[Digest]) -> bytes:
        """The content that was cut into `digests`. Raises NotFound, Integrity."""
        if len(digests) == 1:
            return self.get(digests[0])
        return b"".join(self.get(digest) for digest in digests)

    def get_node(self, digest: Digest) -> Node:
        """The node named `digest`. Raises NotFound, Integrity, Newer."""
        return Node(*decode_node(self.get(digest)))

    def has(self, digest: Digest) -> bool:
        """True when the content is stored, as far as was seen at the last refresh."""
        return digest in self.known([digest])

    def known(self, digests: Sequence[Digest]) -> dict[Digest, str]:
        """Those that are stored; the value names a segment that may not be on the disk yet."""
        with self._lock:
            return self._ask(lambda: self._index.known(digests))

    def delta_depth(self, digest: Digest) -> int:
        """How many deltas a read of this content goes through. Raises NotFound, Integrity."""
        for place in self._places(digest):
            if place.record.codec != chunks.Codec.DELTA:
                return 0
            return self.delta_of(place)[0]
        raise NotFound(f"The store has no content {digest.hex()[:12]}.")

    def delta_of(self, place: Place) -> tuple[int, Digest]:
        """A delta's depth and base. Raises NotFound, Integrity."""
        with self._lock:
            reader = SegmentReader(self._descriptor(place.segment), self.seal(place.segment), 0)
            return chunks.delta_base(reader.payload(place.record))

    def entry(self, name: EntryId) -> Entry:
        """Raises NotFound, also for an entry that has expired."""
        with self._lock:
            found = self._ask(lambda: self._index.entry(name))
        if found is None:
            raise NotFound(f"The store has no entry {name}.")
        return found

    def entries(
        self,
        *,
        kind: str | None = None,
        key: str | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> list[Entry]:
        """Entries in order, of this kind and with this key where given."""
        kinds = [] if kind is None else [kind]
        with self._lock:
            return self._ask(
                lambda: self._index.entries(
                    kinds=kinds, key=key, newest_first=newest_first, limit=limit
                )
            )

    def latest(self, *, kinds: Sequence[str], key: str) -> Entry | None:
        """The last entry in order of these kinds with this key."""
        with self._lock:
            found = self._ask(
                lambda: self._index.entries(kinds=kinds, key=key, newest_first=True, limit=1)
            )
        return found[0] if found else None

    def entry_ids(self, prefix: str, *, kind: str) -> list[EntryId]:
        """The ids of this kind that start so, in alphabetical order."""
        with self._lock:
            return self._ask(lambda: self._index.entry_ids(prefix, kind))

    def keys(self, prefix: str) -> list[str]:
        """The distinct keys of entries that start so, in alphabetical order."""
        with self._lock:
            return self._ask(lambda: self._index.keys(prefix))

    def gaps(self) -> list[tuple[str, Gap]]:
        """Damage met while reading the segments: what is listed may be incomplete."""
        with self._lock:
            return self._ask(self._index.gaps)

    @contextmanager
    def index(self) -> Iterator[Index]:
        """The index itself, for upkeep; nobody else of this process uses it meanwhile."""
        with self._lock:
            yield self._index

    @property
    def writer(self) -> SegmentWriter:
        return self._writer

    @contextmanager
    def reader(self, segment: str) -> Iterator[SegmentReader]:
        """Reads the segment's records as they stand in its file. Raises NotFound, Storage."""
        path = self.layout.segments / segment
        descriptor = self.files.open(path)
        try:
            yield SegmentReader(descriptor, self.seal(segment), path.stat().st_size)
        finally:
            self.files.close(descriptor)

    def seal(self, segment: str) -> Seal:
        return Seal(self.layout.key, self.layout.store_id, segment)

    def close(self) -> None:
        """Everything acknowledged is on the disk, and nothing is held any more."""
        with self._write_lock, self._lock:
            self._writer.close()
            for descriptor in self._descriptors.values():
                self.files.close(descriptor)
            self._descriptors.clear()
            self._index.close()

    def __enter__(self) -> Repository:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- inside -------------------------------------------------------------------------

    def _get(self, digest: Digest, depth: int) -> bytes:
        if depth > 2 * chunks.MAX_DEPTH:
            raise Integrity(f"Chunk {digest.hex()[:12]} hangs on too long a row of deltas.")
        places = self._places(digest)
        if not places:
            self.refresh()
            places = self._places(digest)
        if not places:
            raise NotFound(f"The store has no content {digest.hex()[:12]}.")
        problems = []
        for place in places:
            try:
                return self._read(place, digest, depth)
            except (Integrity, NotFound) as error:
                problems.append(str(error))
        raise Integrity(
            f"Content {digest.hex()[:12]} is damaged: {'; '.join(problems)}",
            hint="The rest of the store is not affected. `jupyter rewind verify` shows what is.",
        )

    def _places(self, digest: Digest) -> list[Place]:
        with self._lock:
            return self._ask(lambda: self._index.places(digest))

    def _read(self, place: Place, digest: Digest, depth: int) -> bytes:
        record = place.record
        where = f"segment {place.segment} at byte {record.offset}"
        with self._lock:
            descriptor = self._descriptor(place.segment)
            reader = SegmentReader(descriptor, self.seal(place.segment), 0)
            payload = reader.payload(record)
        if len(payload) != record.stored:
            raise Integrity(f"{where} is cut short.")
        try:
            raw = chunks.unpack(
                record.codec, payload, record.raw, lambda base: self._get(base, depth + 1)
            )
        except (Integrity, NotFound) as error:
            raise Integrity(f"{where} does not read ({error})") from error
        if chunks.digest(raw) != digest:
            raise Integrity(f"{where} holds other bytes than were written.")
        return raw

    def _descriptor(self, segment: str) -> int:
        self._after_fork()
        descriptor = self._descriptors.pop(segment, None)
        if descriptor is None:
            descriptor = self.files.open(self.layout.segments / segment)
        self._descriptors[segment] = descriptor
        while len(self._descriptors) > _OPEN_SEGMENTS:
            _, oldest = self._descriptors.popitem(last=False)
            self.files.close(oldest)
        return descriptor

    def _refresh(self) -> None:
        present = self._segment_files()
        known = self._index.segments()
        for name, (size, changed) in sorted(present.items()):
            start = known[name][1] if name in known else 0
            if size <= start or self._is_quiet(name, size, changed, start):
                continue
            self._scan(name, start)
            settled = changed < clock.now_ns() - _SETTLED_NS
            if settled:
                self._quiet[name] = (size, changed, self._index.segments()[name][1])
        gone = [number for name, (number, _) in known.items() if name not in present]
        if gone:
            with self._index.writing():
                for number in gone:
                    self._index.drop_segment(number)

    def _scan(self, name: str, start: int) -> None:
        try:
            with self.reader(name) as reader:
                scan = reader.scan(start, deep=start == 0)
        except NotFound:
            return
        if not (scan.batches or scan.gaps or start == 0):
            return
        with self._index.writing():
            number = self._index.add_segment(name)
            if self._index.scanned(number) == start:
                self._index.add_batches(number, scan.batches, scan.end)
                self._index.add_gaps(number, scan.gaps)
        for gap in scan.gaps:
            log.warning("segment %s: %s at byte %s", name, gap.what, gap.offset)

    def _is_quiet(self, name: str, size: int, changed: int, start: int) -> bool:
        return self._quiet.get(name) == (size, changed, start)

    def _segment_files(self) -> dict[str, tuple[int, int]]:
        found = {}
        try:
            for path in self.layout.segments.iterdir():
                if path.name.startswith("."):
                    continue
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue
                found[path.name] = (status.st_size, status.st_mtime_ns)
        except OSError as error:
            raise translate(error, "read the segments in", self.layout.segments) from error
        return found

    def _ask(self, question: Callable[[], T]) -> T:
        """The answer of the index; where its file fails, of one built again in memory."""
        try:
            return question()
        except sqlite3.Error as error:
            self._index.retreat_to_memory(str(error))
            self._quiet.clear()
            self._refresh()
            return question()

    def _after_fork(self) -> None:
        if self._pid != clock.pid():
            self._pid = clock.pid()
            self._descriptors.clear()
            self._index.after_fork()


def default_index_path(layout: Layout) -> Path:
    """Beside the segments; in the user's cache where those lie on a network file system."""
    name = f"index-{INDEX_FORMAT}.sqlite"
    if not is_network(layout.folder):
        return layout.folder / name
    cache = Path.home() / ".cache"
    base = Path("/var/tmp") / f"rewind-{clock.user()}" if is_network(cache) else cache
    return base / "jupyter-rewind" / layout.store_id / name
