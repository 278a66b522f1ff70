"""The one writer of a segment: stages records, commits them, keeps room for the last commit.

One fdatasync a commit, then the acknowledgement. Behind the end room is held ready (`room`), so
that a small commit still lands on a disk that has become full. After a failed sync the segment is
given up for a new one: the kernel may have dropped the pages it could not write. Where a file was
taken away, what was acknowledged in it is committed again, to a new one (`moving`).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence

from jupyter_rewind import clock
from jupyter_rewind.errors import Full, Internal, RewindError
from jupyter_rewind.model.encoding import Commit, encode_commit
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import Digest, EntryId, WriterId
from jupyter_rewind.store import chunks, room
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.framing import Kind, Record, frame, seal_of
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.locks import FileLock
from jupyter_rewind.store.moving import (
    Moved,
    Taken,
    find_lost_batches,
    read_payloads,
    require_same_store,
)
from jupyter_rewind.store.room import Room
from jupyter_rewind.store.segments import Batch
from jupyter_rewind.store.standing import Identity, identify, is_named

MAX_SEGMENT = 256 << 20
_STAGE = 8 << 20
# Below, what compression saves of a commit record is not worth its 10 µs.
_SMALL = 400
GROUP_SECONDS = 1.0
_LOCK_SECONDS = 1.0


class SegmentWriter:
    """Appends to segments of its own, made as they are needed. One thread at a time."""

    def __init__(self, layout: Layout, files: Files, *, power_safe: bool = True) -> None:
        self._layout = layout
        self._files = files
        self.power_safe = power_safe
        self._descriptor = -1
        self._lock: FileLock | None = None
        self._name = WriterId("")
        self._path = layout.segments
        self._tags = seal_of(layout, "")
        self._pid = clock.process()
        self._parts: list[bytes | memoryview] = []
        self._records: list[Record] = []
        self._proofs: list[bytes] = []
        self._staged = 0
        self._end = self._written = self._at = self._synced = 0
        self._room = Room(files, -1, layout.segments)
        self._timer: threading.Timer | None = None
        self._guard = threading.Lock()
        self._spoiled = False
        self._store_is_named = False
        self._identity: Identity = (0, 0)
        self._place = ""
        self._lock_seen = 0.0
        self._taken: list[Taken] = []
        self._moved = Moved()

    @property
    def segment(self) -> WriterId:
        """The segment last written to; empty before the first record."""
        return self._name

    @property
    def open_segment(self) -> WriterId:
        """The segment that the next commit goes to, where it is already known; else empty."""
        is_open = self._descriptor >= 0 and self._pid == clock.process() and not self._spoiled
        return self._name if is_open else WriterId("")

    @property
    def end(self) -> int:
        """Bytes of the segment that are committed."""
        return self._end

    @property
    def synced(self) -> int:
        """Bytes of the segment that are surely on the disk; still known when it is closed."""
        return self._synced

    @property
    def staged_bytes(self) -> int:
        """Bytes on the way to the next commit."""
        return self._at - self._end

    def stage(
        self, kind: Kind, codec: int, raw_size: int, name: Digest, payload: bytes | memoryview
    ) -> None:
        """The record stands behind the others of the next commit; nothing is promised yet."""
        self._begin()
        head, stored, tag = frame(self._tags, self._at, kind, codec, raw_size, name, payload)
        self._records.append(Record(self._at, kind, codec, len(stored), raw_size, name))
        self._proofs += (head, tag)
        self._push([head, stored, tag])

    def commit(self, entries: Sequence[Entry], expired: Sequence[EntryId]) -> Batch:
        """All that was staged, with `entries`, is durable, in a file that others find. On any error
        nothing of it counts. Raises Storage; Unavailable where the store was taken away."""
        batch = self._commit(entries, expired)
        if not is_named(self._identity, self._place):
            return self._move(batch)
        if clock.monotonic() > self._lock_seen + _LOCK_SECONDS:
            self._renew_lock()
        if self._taken:
            try:
                self._commit_taken()
            except RewindError:
                self.abort()  # there is no room, perhaps: the next commit tries again
        return batch

    def take_moved(self) -> Moved:
        """What was committed again since this was last asked."""
        moved, self._moved = self._moved, Moved()
        return moved

    def _commit(self, entries: Sequence[Entry], expired: Sequence[EntryId]) -> Batch:
        self._begin()
        seal = self._tags
        commit = Commit(
            len(self._records), self._synced, seal.batch(self._proofs), tuple(entries),
            tuple(expired),
        )  # fmt: skip
        raw = encode_commit(commit)
        codec, packed = chunks.pack(raw) if len(raw) > _SMALL else (chunks.Codec.RAW, raw)
        name = chunks.digest(raw)
        head, payload, tag = frame(
            seal, self._at, Kind.COMMIT, codec, len(raw), name, bytes(packed)
        )
        batch = Batch(self._end, self._at + len(head) + len(payload) + len(tag),
                      tuple(self._records), commit)  # fmt: skip
        in_file = False
        try:
            self._push([head, payload, tag])
            self._flush()
            in_file = True
            if self.power_safe:
                self._files.sync_data(self._descriptor, self._path)
            self._end = self._at
        except BaseException as error:
            # On a full disk the commit record was cut short: the next commit may take its room.
            if self._end != batch.end and (in_file or not isinstance(error, Full)):
                self._give_up()
            raise
        if self.power_safe:
            self._synced = self._end
        else:
            self._start_timer()
        self._forget()
        return batch

    def abort(self) -> None:
        """What was staged is forgotten; its bytes are overwritten by the next commit."""
        self._forget()
        self._at = self._written = self._end
        if self._descriptor >= 0:
            self._room.give_back(self._end)

    def rotate_if_large(self) -> None:
        """The next record goes to a new segment once this one is large. Between commits only."""
        if self._descriptor >= 0 and self._end > MAX_SEGMENT:
            self.close()

    def discard(self) -> None:
        """The segment is gone, with all that was committed to it."""
        self._adopt_process()
        self._stop_timer()
        if self._descriptor >= 0:
            self._files.remove(self._path)
            self._let_go()

    def close(self) -> None:
        """The segment is sealed and shortened to its last commit; its lock is free."""
        self._adopt_process()
        self._stop_timer()
        if self._descriptor < 0:
            return
        try:
            if self._end and not is_named(self._identity, self._path):
                self._take_away(self._end)
            self._commit_taken()
            if self._descriptor >= 0:
                self._seal()
        except RewindError:
            # The seal only tells damage from an unfinished end; what was committed stays.
            pass
        finally:
            self._let_go()

    def sync_now(self) -> None:
        """What was acknowledged as process-safe is power-safe now. From any thread."""
        with self._guard:
            self._timer = None
            name, end = self._name, self._end
            if self._descriptor < 0 or self._synced >= end or self._pid != clock.process():
                return
        # A descriptor of its own: the writer may close its one meanwhile.
        path = self._layout.segments / name
        try:
            descriptor = self._files.open(path)
            try:
                self._files.sync_data(descriptor, path)
            finally:
                self._files.close(descriptor)
        except RewindError:
            with self._guard:
                self._spoiled = self._spoiled or name == self._name
            raise
        with self._guard:
            if name == self._name:
                self._synced = max(self._synced, end)

    def _take_away(self, end: int) -> None:
        """The segment, whose file lost its name, is left; what stands in it up to `end` waits."""
        self._stop_timer()
        self._moved.segments.add(self._name)
        with self._guard:
            descriptor, self._descriptor = self._descriptor, -1
        self._taken.append(Taken(descriptor, self._name, end))
        self._let_go()

    def _move(self, batch: Batch) -> Batch:
        """`batch`, and what was acknowledged before it, stands in a new segment."""
        payloads = read_payloads(self._descriptor, self._tags, batch)
        self._take_away(batch.start)
        self._commit_taken()
        return self._commit_again(batch, payloads)

    def _commit_taken(self) -> None:
        """What waits is committed. On an error it goes on waiting for the next commit."""
        if self._taken:
            require_same_store(self._layout)
        for taken in self._taken[:]:
            for batch, payloads in find_lost_batches(self._layout, self._files, taken):
                self._moved.batches.append(self._commit_again(batch, payloads))
            self._taken.remove(taken)
            self._files.close(taken.descriptor)

    def _commit_again(self, batch: Batch, payloads: Sequence[bytes]) -> Batch:
        for one, payload in zip(batch.records, payloads, strict=True):
            self.stage(Kind(one.kind), one.codec, one.raw, one.id, payload)
        return self._commit(batch.commit.entries, batch.commit.expired)

    def _renew_lock(self) -> None:
        """Whoever looks for segments that nobody writes finds this one's lock, though its file was
        taken away."""
        self._lock_seen = clock.monotonic()
        if self._lock is not None and not self._lock.is_standing():
            self._lock.release()
            # Held for a moment by somebody who looks: then the next commit takes it.
            with contextlib.suppress(RewindError):
                self._lock.try_acquire(exclusive=True)

    def _seal(self) -> None:
        path = self._path
        if self._end == 0:
            self._files.remove(path)
            return
        if self._synced < self._end:
            self._files.sync_data(self._descriptor, path)
            self._synced = self._end
        self._forget()
        self._at = self._written = self._end
        seal = self._tags
        raw = encode_commit(Commit(0, self._synced, seal.batch([])))
        self._push([*frame(seal, self._at, Kind.COMMIT, 0, len(raw), chunks.digest(raw), raw)])
        self._flush()
        self._files.truncate(self._descriptor, self._at, path)

    def _begin(self) -> None:
        self._adopt_process()
        if self._spoiled and not self._records:
            if self._end and not is_named(self._identity, self._path):
                self._take_away(self._end)
            self._let_go()
        if self._descriptor < 0:
            self._open()

    def _adopt_process(self) -> None:
        """A forked child shares the file with its parent, who goes on writing: it lets go."""
        if self._pid == clock.process():
            return
        self._guard, self._timer = threading.Lock(), None
        while self._taken:
            self._files.close(self._taken.pop().descriptor)
        self._let_go()
        self._pid = clock.process()

    def _open(self) -> None:
        require_same_store(self._layout)
        name = WriterId(clock.new_id())
        lock = FileLock(self._layout.lock_of(name))
        try:
            if not lock.try_acquire(exclusive=True):
                raise Internal(f"The new segment {name} is already locked.")
        except RewindError as error:
            if error.code != "no_locks":
                raise
        with self._guard:
            self._lock, self._name = lock, name
            self._path = self._layout.segments / name
            self._tags = seal_of(self._layout, name)
            self._end = self._written = self._at = self._synced = 0
        self._forget()
        try:
            if not self._store_is_named:
                # Whoever made the store may have been killed before its name was durable.
                self._files.sync_folder(self._layout.folder)
                self._store_is_named = True
            self._descriptor = self._files.create(self._path)
            self._identity, self._place = identify(self._descriptor), str(self._path)
            self._room = Room(self._files, self._descriptor, self._path)
            with contextlib.suppress(Full):
                # Without room to hold ready, a small commit may land all the same.
                self._room.make(room.RESERVE)
            self._files.sync_folder(self._layout.segments)
        except BaseException:
            # Nothing may be promised in a file whose name may vanish.
            self._give_up()
            raise

    def _push(self, parts: list[bytes | memoryview]) -> None:
        self._parts += parts
        size = sum(len(part) for part in parts)
        self._at += size
        self._staged += size
        if self._staged > _STAGE:
            self._flush()

    def _flush(self) -> None:
        """Staged bytes go to the file."""
        self._room.write(self._parts, self._written, self._at, kept=self._end)
        self._written = self._at
        self._parts, self._staged = [], 0

    def _start_timer(self) -> None:
        with self._guard:
            if self._timer is None:
                timer = threading.Timer(GROUP_SECONDS, self._group)
                timer.daemon = True
                # While the interpreter ends no thread can be started: closing syncs.
                with contextlib.suppress(RuntimeError):
                    timer.start()
                    self._timer = timer

    def _group(self) -> None:
        # On failure, the next commit goes to a new segment; what this one holds stays process-safe.
        with contextlib.suppress(RewindError):
            self.sync_now()

    def _stop_timer(self) -> None:
        with self._guard:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _give_up(self) -> None:
        """The segment ends with its last commit, and the next one begins another.

        A commit that failed may stand in the file whole: nobody may believe it, or name what it
        holds, for its bytes may never have reached the disk.
        """
        with contextlib.suppress(RewindError):
            if self._descriptor >= 0 and self._end:
                self._files.truncate(self._descriptor, self._end, self._path)
            elif self._descriptor >= 0:
                self._files.remove(self._path)
        self._let_go()

    def _let_go(self) -> None:
        with self._guard:
            descriptor, self._descriptor = self._descriptor, -1
            self._spoiled = False
        if descriptor >= 0:
            self._files.close(descriptor)
        if self._lock is not None:
            self._lock.release(remove=self._pid == clock.process())
        self._lock = None
        self._forget()

    def _forget(self) -> None:
        self._parts, self._records, self._proofs, self._staged = [], [], [], 0
