"""Brings segments from a replica, a few at a time, each made whole and checked aside.

What arrived whole in a pull that was stopped is not fetched again.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from jupyter_rewind.errors import Integrity, Newer, NotFound
from jupyter_rewind.store.durable import Files, read_at
from jupyter_rewind.store.floor import require_room
from jupyter_rewind.store.framing import Seal, seal_of
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.arrival import waiting_path
from jupyter_rewind.store.replica.ledger import Ledger, Place
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.refs import pack_epoch, pack_name
from jupyter_rewind.store.replica.sealing import naming_key
from jupyter_rewind.store.segments import SegmentReader

Progress = Callable[[int, int], None]
_SEGMENTS_AT_ONCE = 2
_AHEAD = 4
"""So many objects of a segment are on their way at once."""
_KEPT_BYTES = 32 << 20
_FLUSHED_BYTES = 4 << 20


class Fetcher:
    """One pull's way to the bytes of a replica."""

    def __init__(
        self,
        layout: Layout,
        files: Files,
        objects: Objects,
        ledger: Ledger,
        pace: Pace,
        progress: Progress | None,
    ) -> None:
        self._layout = layout
        self._files = files
        self._ledger = ledger
        self._source = Source(objects, pace, ledger.bodies)
        self._progress = progress
        self._done = 0
        self._total = 0
        self._lock = threading.Lock()

    def fetch(self, wanted: Mapping[str, int]) -> None:
        """Each segment of `wanted`, of which so much is here, waits whole beside its place.

        Raises Integrity for bytes that are not what a holder of the key wrote; Storage.
        """
        self._total = sum(self._ledger.ends[name] - have for name, have in wanted.items())
        # Those that share packs come one after the other.
        order = sorted(wanted, key=lambda name: self._ledger.cover(name, wanted[name])[0].key)
        with ThreadPoolExecutor(_SEGMENTS_AT_ONCE) as pool:
            waiting: list[Future[None]] = []
            try:
                for name in order:
                    if len(waiting) >= 2 * _SEGMENTS_AT_ONCE:
                        waiting.pop(0).result()
                    waiting.append(pool.submit(self._fetch, name, wanted[name]))
                for each in waiting:
                    each.result()
            except BaseException:
                for each in waiting:
                    each.cancel()
                raise

    def try_all(self, names: Sequence[str]) -> Iterator[tuple[str, Integrity | None]]:
        """The segments that do not come whole, with why, where that is known. Keeps none."""
        self._total = sum(self._ledger.ends[name] for name in names)
        for name in names:
            part = waiting_path(self._layout, f"{name}.check")
            self._files.remove(part)
            try:
                if not self._build(part, name, 0):
                    yield name, None
            except Integrity as error:
                yield name, error
            finally:
                self._files.remove(part)
            self._count(self._ledger.ends[name])

    def try_some(self, packs: Mapping[str, int]) -> Iterator[tuple[str, Integrity]]:
        """Those of the packs, given with their sizes, that do not hold what they are named by."""
        self._total = sum(packs.values())
        for key, size in packs.items():
            try:
                self._source.read(Place(0, size, key, 0))
            except Integrity as error:
                yield key, error
            self._count(size)

    def _fetch(self, name: str, have: int) -> None:
        path = waiting_path(self._layout, name)
        end = self._ledger.ends[name]
        if not (path.exists() and self._is_whole(path, name, end)):
            self._files.remove(path)
            part = waiting_path(self._layout, f"{name}.part")
            self._files.remove(part)
            is_whole = self._build(part, name, have)
            if have and not is_whole:
                # What is here is damaged, perhaps; the replica has that, too.
                self._files.remove(part)
                is_whole = self._build(part, name, 0)
            if not is_whole:
                self._files.remove(part)
                raise Integrity(
                    f"The replica {self._source.place} holds segment {name} with other bytes than"
                    " were written.",
                    hint="Nothing was changed here. `jupyter rewind replica verify --read-data`"
                    " shows all that is damaged.",
                )
            self._files.rename(part, path)
        self._count(end - have)

    def _count(self, size: int) -> None:
        with self._lock:
            self._done += size
            if self._progress is not None:
                self._progress(self._done, self._total)

    def _build(self, part: Path, name: str, have: int) -> bool:
        """Whether the segment that is in the file now, durably, is whole."""
        descriptor = self._files.create(part)
        try:
            if have:
                self._copy_here(descriptor, part, name, have)
            is_whole = self._fill(descriptor, part, name, have)
        except BaseException:
            self._files.close(descriptor)
            with suppress(NotFound):
                self._files.remove(part)
            raise
        self._files.close(descriptor)
        return is_whole

    def _fill(self, descriptor: int, part: Path, name: str, have: int) -> bool:
        """What comes is written, flushed and checked while the next objects are on their way."""
        flush: Future[None] | None = None
        with self._walking(part, name) as walk, ThreadPoolExecutor(1) as flusher:
            for place, data in self._source.read_all(self._ledger.cover(name, have)):
                self._write(descriptor, data, place.start, part)
                if len(data) >= _FLUSHED_BYTES and (flush is None or flush.done()):
                    if flush is not None:
                        flush.result()
                    flush = flusher.submit(self._files.sync_data, descriptor, part)
                walk.go_on(place.end)
            if flush is not None:
                flush.result()
            self._files.sync_data(descriptor, part)
            return walk.is_whole()

    def _copy_here(self, descriptor: int, part: Path, name: str, have: int) -> None:
        source = self._files.open(self._layout.segments / name)
        try:
            for at in range(0, have, 8 << 20):
                data = read_at(source, min(8 << 20, have - at), at)
                self._write(descriptor, data, at, part)
        finally:
            self._files.close(source)

    def _write(self, descriptor: int, data: bytes, at: int, part: Path) -> None:
        """Raises Full before the disk is, so that what is saved here has room."""
        require_room(self._layout.folder, len(data))
        self._files.write_at(descriptor, [data], at, part)

    def _is_whole(self, path: Path, name: str, end: int) -> bool:
        """Whether every record up to `end` fits its tag, which only the key's holder can make."""
        with self._walking(path, name) as walk:
            walk.go_on(end)
            return walk.is_whole()

    @contextmanager
    def _walking(self, path: Path, name: str) -> Iterator[Walk]:
        descriptor = self._files.open(path)
        try:
            seal = seal_of(self._layout, name)
            yield Walk(descriptor, seal, self._ledger.ends[name])
        finally:
            self._files.close(descriptor)


class Walk:
    """Checks a segment that is to end at `end`, while it is written from its beginning on."""

    def __init__(self, descriptor: int, seal: Seal, end: int) -> None:
        self._descriptor = descriptor
        self._reader = SegmentReader(descriptor, seal, end)
        self._end = end
        self._at = 0
        self._fits = True

    def go_on(self, there: int) -> None:
        """Checks what stands before `there`, where the file ends now."""
        while self._fits and self._at < there:
            try:
                record = self._reader.head(self._at)
            except Newer:
                return  # of a later format, or garbage: `is_whole` finds out
            if record is None or record.end > there:
                return
            self._fits = self._reader.is_intact(record)
            self._at = record.end

    def is_whole(self) -> bool:
        """Whether the records follow on one another in whole batches up to the end, and all fit
        their tags. Raises Newer."""
        if os.fstat(self._descriptor).st_size != self._end:
            return False
        scan = self._reader.scan(0)
        return self._fits and self._at == self._end == scan.end and not scan.gaps


class Source:
    """Objects of a replica; the last ones stay in memory, for several segments share them, and
    what is on its way is asked for once."""

    def __init__(
        self, objects: Objects, pace: Pace, bodies: Mapping[str, bytes] | None = None
    ) -> None:
        """`bodies` are objects that were read before."""
        self._objects = objects
        self._pace = pace
        self._bodies = {} if bodies is None else bodies
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._coming: dict[str, Future[bytes]] = {}
        self._lock = threading.Lock()
        self.place = objects.place

    def read_all(self, places: Sequence[Place]) -> Iterator[tuple[Place, bytes]]:
        """The bytes of all places, in order, a few fetched ahead. Raises as `read` does."""
        if len(places) < 2:
            yield from ((place, self.read(place)) for place in places)
            return
        with ThreadPoolExecutor(_AHEAD) as pool:
            waiting: deque[tuple[Place, Future[bytes]]] = deque()
            try:
                for place in places:
                    waiting.append((place, pool.submit(self.read, place)))
                    if len(waiting) > _AHEAD:
                        first, ready = waiting.popleft()
                        yield first, ready.result()
                while waiting:
                    first, ready = waiting.popleft()
                    yield first, ready.result()
            except KeyboardInterrupt:
                self._pace.end()
                raise
            finally:
                for _, each in waiting:
                    each.cancel()

    def read(self, place: Place) -> bytes:
        """The bytes of `place`. Raises Integrity where they are not there, or not these."""
        data = self._bodies.get(place.key) or self._object(place.key)
        end = place.at + place.end - place.start
        if end > len(data):
            raise Integrity(f"{place.key} of the replica {self.place} is cut short.")
        return data[place.at : end]

    def _object(self, key: str) -> bytes:
        with self._lock:
            data = self._kept.get(key)
            if data is not None:
                self._kept.move_to_end(key)
                return data
            coming = self._coming.get(key)
            ours = self._coming[key] = Future() if coming is None else coming
        if coming is not None:
            return coming.result()
        try:
            data = self._get(key)
            self._pace.wait(len(data))
        except BaseException as error:
            with self._lock:
                del self._coming[key]
            ours.set_exception(error)
            raise
        with self._lock:
            del self._coming[key]
            self._keep(key, data)
        ours.set_result(data)
        return data

    def _keep(self, key: str, data: bytes) -> None:
        self._kept[key] = data
        self._kept_bytes += len(data)
        while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._kept_bytes -= len(dropped)

    def _get(self, key: str) -> bytes:
        try:
            data = self._objects.get(key)
        except NotFound as error:
            raise Integrity(
                f"The replica {self.place} has lost {key}.",
                hint="Nothing was changed here.",
            ) from error
        name = pack_name(data, naming_key(self._objects), pack_epoch(key))
        if key.startswith("packs/") and name != key:
            raise Integrity(
                f"{key} of the replica {self.place} is damaged.",
                hint="Nothing was changed here. `jupyter rewind replica verify --read-data` shows"
                " all that is damaged.",
            )
        return data
