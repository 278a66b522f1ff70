"""The index kept in step with the segments: what this process may believe, and how fresh.

Own commits wait in memory and reach the index's file when somebody asks, or in a group; commits
of others are read from their segments. Where the index fails, one in memory takes over.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from jupyter_rewind import clock
from jupyter_rewind.errors import NotFound, RewindError, Storage, Unavailable
from jupyter_rewind.model.entry import order_behind
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.durable import Files, translate
from jupyter_rewind.store.index import Index
from jupyter_rewind.store.layout import Layout, read_retired
from jupyter_rewind.store.locks import ProcessLock
from jupyter_rewind.store.moving import require_same_store
from jupyter_rewind.store.partial import read_segment
from jupyter_rewind.store.segments import SHORTENED, Batch, Gap
from jupyter_rewind.store.shut import is_segment, may_be_shut, say_shut

log = logging.getLogger(__name__)
T = TypeVar("T")
_SETTLED_NS = 2_000_000_000
_GROUP = 256


class Catalog:
    """Answers questions through the index. Thread-safe."""

    def __init__(self, layout: Layout, files: Files, index_path: Path | None) -> None:
        self._layout = layout
        self._files = files
        # An index inside the store goes where the store goes; any other is that of one folder.
        inside = index_path is None or index_path.is_relative_to(layout.folder)
        place = "" if inside else os.path.realpath(layout.folder)
        self._index = Index(index_path, layout.store_id, place)
        self._lock = ProcessLock()
        self._pid = clock.process()
        self._quiet: dict[str, tuple[int, int, int]] = {}
        self._shut: dict[str, str] = {}
        self._opened: dict[str, int] = {}
        self._pending: list[Batch] = []
        self._pending_digests: set[Digest] = set()
        self._own = ""
        self._own_synced = 0
        self._own_end = 0
        self._last_order = 0
        self._stale = True
        self._has_looked = False
        self._knows_order = False
        self._segments = os.fspath(layout.segments)

    def ask(self, question: Callable[[Index], T]) -> T:
        """The answer of the index; where its file fails, of one built again in memory."""
        with self._lock:
            self._adopt_process()
            self._knows_order = False
            try:
                if self._stale:
                    self._refresh()
                self._settle()
                return question(self._index)
            except sqlite3.Error as error:
                self._rebuild_in_memory(error)
                return question(self._index)

    def doubt(self) -> None:
        """Whoever asks next hears of all commits made up to then; who only adds never waits,
        once a look at the segments has succeeded. Raises Storage, Newer.

        Nothing may be removed between that look and the end of what is built on it.
        """
        with self._lock:
            self._stale = True
            if not self._has_looked:
                self.refresh()

    @contextmanager
    def index(self) -> Iterator[Index]:
        """The index itself; nobody else of this process uses it meanwhile."""
        with self._lock:
            self.ask(lambda _: None)
            yield self._index

    def refresh(self) -> None:
        """Commits of other processes can be seen. Raises Storage, Newer."""
        with self._lock:
            self._adopt_process()
            try:
                self._refresh()
            except sqlite3.Error as error:
                self._rebuild_in_memory(error)

    def add_own(self, segment: str, batch: Batch, synced: int) -> None:
        """A commit that this process has just made can be found. Never fails: the commit stands,
        and whoever made it must hear so; an index that missed it reads it later."""
        with self._lock:
            try:
                if segment != self._own:
                    self._settle_now()
                    self._own = segment
                self._pending.append(batch)
                self._own_synced = synced
                self._own_end = batch.end
                self._pending_digests.update(record.id for record in batch.records)
                if len(self._pending) >= _GROUP or len(self._pending_digests) > 64 * _GROUP:
                    self._settle_now()
            except RewindError as error:
                log.warning("the index missed a commit of segment %s: %s", segment, error)
                self._own, self._own_end = "", 0

    def known(self, digests: Sequence[Digest]) -> dict[Digest, str]:
        """Those stored for this user to read; the value names a segment perhaps not on the disk.

        Nothing counts without a fresh look, for it may have been removed. Where there is no trace
        of them none is taken, but the first of an index in memory: what others have stored a
        moment ago may be missed.
        """
        with self._lock:
            self._adopt_process()
            try:
                found = self._known(digests)
                if self._stale if found else self._index.in_memory and not self._has_looked:
                    self._settle()
                    self._refresh()
                    found = self._known(digests)
            except sqlite3.Error as error:
                self._rebuild_in_memory(error)
                found = self._known(digests)
            return found

    def _known(self, digests: Sequence[Digest]) -> dict[Digest, str]:
        pending = self._pending_digests
        own = "" if self._own_synced else self._own
        found = {name: own for name in digests if name in pending} if pending else {}
        rest = [name for name in digests if name not in found] if found else digests
        stored = self._index.known(rest)
        if self._shut:
            # The index may have been told of them by another user, who wrote them.
            stored = {
                name: where for name in stored if (where := self._open_place(name)) is not None
            }
        return {**found, **stored} if found else stored

    def _open_place(self, name: Digest) -> str | None:
        """As the value of `known`, of the copies that this user may read; None without any."""
        places = [one for one in self._index.places(name) if one.segment not in self._shut]
        if not places:
            return None
        return "" if any(one.synced for one in places) else places[0].segment

    def bury_chunk(self, segment: str, offset: int) -> None:
        """The chunk there was read and is damaged: it is not found there any more."""

        def bury(index: Index) -> None:
            known = index.segments().get(segment)
            if known is not None:
                with index.writing():
                    index.evidence.bury_chunks(known[0], segment, [offset])

        self.ask(bury)

    def distrust(self, segment: str) -> None:
        """The segment's file was taken away or replaced: the next look reads what stands there.
        Never fails, for the commit that found this out stands."""

        def drop(index: Index) -> None:
            known = index.segments().get(segment)
            if known is not None:
                with index.writing():
                    index.drop_segment(known[0])

        try:
            self.ask(drop)
            self._quiet.pop(segment, None)
        except RewindError as error:
            log.warning("the index could not forget segment %s: %s", segment, error)

    def gaps(self) -> list[tuple[str, Gap]]:
        """Damage met while reading the segments, and what of them this user may not read."""
        found, known = self.ask(Index.gaps), self.ask(Index.segments)
        for name, why in self.shut().items():
            found.append((name, Gap(known.get(name, (0, 0))[1], 0, why)))
        return found

    def shut(self) -> dict[str, str]:
        """The segments of which not all could be read, and why, as of the last refresh."""
        with self._lock:
            self.ask(lambda _: None)
            return dict(self._shut)

    def next_order(self) -> int:
        """A place in the order of entries, behind everything this process has seen; behind
        everything there is, also where the clock was set back. Raises Unavailable."""
        with self._lock:
            if self._stale and clock.now_ns() <= self._last_order:
                self.ask(lambda _: None)
            if not self._knows_order:
                try:
                    seen = self._index.last_order()
                except sqlite3.Error as error:
                    self._rebuild_in_memory(error)
                    seen = self._index.last_order()
                self._last_order, self._knows_order = max(self._last_order, seen), True
            self._last_order = order_behind(self._last_order, clock.now_ns())
            return self._last_order

    def close(self) -> None:
        with self._lock:
            self._settle_now()
            self._index.close()

    def _settle_now(self) -> None:
        self._adopt_process()
        try:
            self._settle()
        except sqlite3.Error as error:
            self._rebuild_in_memory(error)

    def _settle(self) -> None:
        """Own commits that wait are in the index."""
        if not self._pending:
            return
        with self._index.writing():
            number = self._index.add_segment(self._own)
            scanned = self._index.scanned(number)
            # Another process may have read some of them from the segment already.
            fresh = [batch for batch in self._pending if batch.start >= scanned]
            if fresh and fresh[0].start == scanned:
                self._index.add_batches(number, fresh, fresh[-1].end, self._own_synced)
        self._pending, self._pending_digests = [], set()
        if fresh and fresh[0].start != scanned:
            # The index was begun anew in the meantime, or did not hear of an earlier commit.
            self._scan(self._own, scanned)

    def _rebuild_in_memory(self, error: sqlite3.Error) -> None:
        self._index.retreat_to_memory(str(error))
        self._quiet.clear()
        # The segments hold the pending commits as well.
        self._pending, self._pending_digests = [], set()
        self._refresh()

    def _refresh(self) -> None:
        self._knows_order = self._has_looked = False
        known = self._index.segments()
        present = self._segment_files()
        gone = known.keys() - present.keys()
        if gone:
            # Nothing of another store may be taken for the rest of this one.
            require_same_store(self._layout)
            # A collect may have written new segments and removed old ones while the folder was
            # being read; what it wrote before it removed these is sure to be in a second look.
            present = self._segment_files()
            gone -= present.keys()
        self._shut = {name: why for name, why in self._shut.items() if name in present}
        for name in sorted(present):
            size, changed, doubted = present[name]
            start = known[name][1] if name in known else 0
            if size < start:
                self._reread(name, size)
                continue
            seen = (size, changed, start)
            if size == start or self._is_own(name, start) or self._quiet.get(name) == seen:
                if doubted or name in self._shut:
                    self._try_open(name, doubted)
                continue
            reached = self._scan(name, start)
            if changed < clock.now_ns() - _SETTLED_NS and name not in self._shut:
                self._quiet[name] = (size, changed, reached)
                self._opened[name] = doubted
        if gone:
            self._forget(gone)
        self._stale, self._has_looked = False, True

    def _forget(self, gone: Collection[str]) -> None:
        retired = read_retired(self._layout)
        with self._index.writing():
            numbers = self._index.segments()
            for name in numbers.keys() & gone:  # another process has seen to the others
                number = numbers[name][0]
                if name in retired:
                    self._index.drop_segment(number)
                else:
                    self._index.evidence.bury_segment(number, name)
                self._quiet.pop(name, None)

    def _reread(self, name: str, size: int) -> None:
        """A segment that has become shorter is read anew: nothing behind its end may be built on.

        Its file was damaged, or a commit in it failed after others had seen it.
        """
        with self._index.writing():
            known = self._index.segments().get(name)
            if known is None or known[1] <= size:
                return
            self._index.evidence.bury_segment(known[0], name)
            number = self._index.add_segment(name)
            cut = Gap(size, known[1] - size, SHORTENED)
            self._index.add_gaps(number, [cut])
        self._scan(name, 0)

    def _is_own(self, name: str, start: int) -> bool:
        """True when nothing stands behind `start` but what this process itself has put there."""
        if name != self._own:
            return False
        return start == self._pending[0].start if self._pending else start >= self._own_end

    def _adopt_process(self) -> None:
        """In a forked child, the segments tell anew what its parent knew: they share no index."""
        if self._pid == clock.process():
            return
        self._pid = clock.process()
        self._index.after_fork()
        self._quiet.clear()
        self._pending, self._pending_digests = [], set()
        self._own, self._own_end = "", 0
        try:
            self._refresh()
        except sqlite3.Error as error:
            self._rebuild_in_memory(error)

    def _open(self, name: str) -> int | None:
        """None where the segment is gone, or shut: that costs what it holds, and no more."""
        path = self._layout.segments / name
        try:
            descriptor = self._files.open(path)
        except NotFound:
            return None
        except Storage as error:
            if name not in self._shut:
                self._shut[name] = say_shut(path, error)
                log.warning("segment %s is left out: %s", name, self._shut[name])
            return None
        self._shut.pop(name, None)
        return descriptor

    def _try_open(self, name: str, changed: int) -> None:
        """It is known whether this segment, which the index knows, may be read, too."""
        if changed and self._opened.get(name) == changed:
            return
        descriptor = self._open(name)
        if descriptor is not None:
            self._files.close(descriptor)
            self._opened[name] = changed

    def _scan(self, name: str, start: int) -> int:
        if (descriptor := self._open(name)) is None:
            return start
        try:
            scan = read_segment(self._layout, name, descriptor).scan(start, deep=start == 0)
        finally:
            self._files.close(descriptor)
        if not (scan.batches or scan.gaps or start == 0):
            return start
        with self._index.writing():
            number = self._index.add_segment(name)
            if self._index.scanned(number) == start:
                self._index.add_batches(number, scan.batches, scan.end)
                self._index.add_gaps(number, scan.gaps)
                if start == 0:
                    self._index.evidence.forgive_segment(number, name)
        for gap in scan.gaps:
            log.warning("segment %s: %s at byte %s", name, gap.what, gap.offset)
        return scan.end

    def _segment_files(self) -> dict[str, tuple[int, int, int]]:
        """Size and time of change of every segment; where this user may perhaps not read it, the
        time since when that may be so, else 0."""
        found = {}
        try:
            with os.scandir(self._segments) as items:
                for item in items:
                    if item.name.startswith("."):
                        continue
                    try:
                        status = item.stat()
                        if is_segment(item.name, status):
                            doubted = status.st_ctime_ns if may_be_shut(status) else 0
                            found[item.name] = (status.st_size, status.st_mtime_ns, doubted)
                    except FileNotFoundError:
                        # Removed this moment: the next look tells, behind what replaced it.
                        found[item.name] = (0, 0, 0)
        except FileNotFoundError as error:
            # No answer that could be taken for an empty store.
            raise Unavailable(
                f"The store at {self._layout.folder} has no folder {self._segments} any more.",
                hint="Is its disk mounted? Nothing was changed.",
            ) from error
        except OSError as error:
            raise translate(error, "read the segments in", self._layout.segments) from error
        return found
