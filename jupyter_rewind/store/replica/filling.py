"""Payloads that lie in a replica alone come here: all that a store lacks, one segment at a time.

A payload is written only if it fits the tag that its record has, into the place that was left for
it. So nothing here has to be undone: stopped at any step, what has come is here and the rest is
not, as before. A segment counts as whole after all of it was compared and flushed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass

from jupyter_rewind.errors import Integrity, NotFound, RewindError
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.floor import require_room
from jupyter_rewind.store.framing import Record
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.partial import drop_partial, read_partial
from jupyter_rewind.store.replica.arrival import finish_arrival
from jupyter_rewind.store.replica.fetching import Progress, Source
from jupyter_rewind.store.replica.hollow import Hollow
from jupyter_rewind.store.replica.ledger import Ledger, Place
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.opening import require_store, unseal
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.turns import taking_turns

_FLUSHED_BYTES = 4 << 20
_FLUSHERS = 2
_AT_ONCE = 32
"""So many segments are told to be whole at once; each is held open until then."""
_MUCH_BYTES = 64 << 20
"""After so many bytes they are told sooner: who is killed before compares them again."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What came, and the segments that lack payloads still, for this replica has them no more."""

    bytes: int = 0
    left: tuple[str, ...] = ()


def fill(
    layout: Layout,
    files: Files,
    objects: Objects,
    *,
    segments: Sequence[str] | None = None,
    pace: Pace | None = None,
    progress: Progress | None = None,
    enough: Callable[[], bool] = lambda: False,
) -> Filled:
    """The segments, or all, lack nothing any more that the replica has, durably; or as much of it
    has come as is `enough`.

    Raises Conflict (another one is at it, or a pull is at work), NotFound (no replica), Integrity
    (other bytes there), Full (but for the disk's last room), Storage: what has come until then is
    here.
    """
    wanted = [s for s in sorted(read_partial(layout)) if segments is None or s in segments]
    if not wanted:
        return Filled()
    with taking_turns(layout, "fill", f"Another process that fills the store at {layout.folder}"):
        work = _Filling(layout, files, objects, pace or Pace(), progress, enough)
        return work.run(wanted)


@dataclass(frozen=True, slots=True)
class _Whole:
    """A segment that lacks nothing any more, once it is flushed."""

    hollow: Hollow
    flushes: list[Future[None]]


class _Filling:
    """One filling of a store."""

    def __init__(
        self,
        layout: Layout,
        files: Files,
        objects: Objects,
        pace: Pace,
        progress: Progress | None,
        enough: Callable[[], bool],
    ) -> None:
        self._layout = layout
        self._files = files
        identity = require_store(objects, layout)
        self._objects = unseal(objects, identity, layout)
        self._pace = pace
        self._progress = progress
        self._enough = enough
        self._ledger = Ledger(layout, identity.replica)
        self._ledger.read(self._objects, pace)
        self._source = Source(self._objects, pace, self._ledger.bodies)
        self._bytes = self._done = 0
        self._flushes: list[Future[None]] = []
        self._waiting: list[_Whole] = []
        self._settled_bytes = 0

    def run(self, segments: Sequence[str]) -> Filled:
        try:
            with ThreadPoolExecutor(_FLUSHERS) as self._pool:
                try:
                    return self._run(segments)
                except BaseException:
                    with suppress(RewindError):
                        self._settle()
                    raise
        finally:
            for each in self._waiting:
                each.hollow.close()

    def _run(self, segments: Sequence[str]) -> Filled:
        sizes = {name: self._ledger.ends.get(name, 0) for name in segments}
        left = []
        failed: RewindError | None = None
        for name in segments:
            try:
                if not self._fill(name):
                    left.append(name)
            except _Enough:
                break
            except (Integrity, NotFound) as error:
                # What is bad there is no reason to leave the rest there alone.
                failed = failed or error
            self._done += sizes[name]
            if self._progress is not None:
                self._progress(self._done, sum(sizes.values()))
        self._settle()
        if failed is not None:
            raise failed
        return Filled(self._bytes, tuple(left))

    def _fill(self, segment: str) -> bool:
        try:
            hollow = Hollow(self._layout, self._files, segment)
        except NotFound:
            # Collected here, or never shown.
            self._drop([segment])
            return True
        self._flushes = []
        is_whole = False
        try:
            is_whole = self._complete(hollow)
        finally:
            if not is_whole:
                wait(self._flushes)
                hollow.close()
        if is_whole:
            self._waiting.append(_Whole(hollow, self._flushes))
            is_much = self._bytes - self._settled_bytes >= _MUCH_BYTES
            if is_much or len(self._waiting) >= _AT_ONCE:
                self._settle()
        return is_whole

    def _complete(self, hollow: Hollow) -> bool:
        lacking = list(self._checked(hollow.to_fill()))
        if lacking:
            # Before it is fetched in vain.
            require_room(self._layout.folder, lacking[0].stored)
        if lacking and not self._bring(hollow, lacking):
            return False
        # All of it was compared by now, and nobody writes what does not fit.
        if self._pace.hands > 1:
            self._flush_soon(hollow)
        else:
            # A process that wants to end waits for the threads of a pool.
            hollow.flush()
        return True

    def _flush_soon(self, hollow: Hollow) -> None:
        """While the next comes."""
        self._flushes.append(self._pool.submit(hollow.flush))

    def _settle(self) -> None:
        """What is flushed counts as whole. Each by itself, the store would be told a thousand times
        in a minute where many short sessions were pushed."""
        for each in self._waiting:
            for flush in each.flushes:
                flush.result()
        self._settled_bytes = self._bytes
        if self._waiting:
            self._drop([each.hollow.segment for each in self._waiting])
        while self._waiting:
            self._waiting.pop().hollow.close()

    def _drop(self, segments: Sequence[str]) -> None:
        """A pull may just have put another file in its place, or have been killed before it could:
        then that one is compared, the next time."""
        with taking_turns(self._layout, "pull", f"A pull into the store at {self._layout.folder}"):
            finish_arrival(self._layout, self._files)
            # Held open until now: no other file has its number.
            held = {each.hollow.segment: each.hollow for each in self._waiting}
            drop_partial(
                self._layout, self._files,
                [
                    name for name in segments
                    if (held[name].is_named if name in held else not self._is_there(name))
                ],
            )  # fmt: skip

    def _is_there(self, segment: str) -> bool:
        return (self._layout.segments / segment).exists()

    def _checked(self, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            self._pace.check()
            yield record

    def _bring(self, hollow: Hollow, lacking: list[Record]) -> bool:
        """False where the replica does not hold all of it any more."""
        for is_last in (False, True):
            try:
                self._bring_all(hollow, lacking, self._cover(hollow.segment, lacking))
                break
            except (Integrity, NotFound, _Gone) as error:
                lacking = [each for each in lacking if hollow.payload(each) is None]
                if not lacking:
                    break
                if isinstance(error, _Gone):
                    return False
                if is_last or not self._ledger.is_overtaken(self._objects):
                    raise
                self._ledger.read(self._objects, self._pace)
        return True

    def _cover(self, segment: str, lacking: list[Record]) -> list[Place]:
        """The places that hold some of it."""
        if self._ledger.ends.get(segment, 0) < lacking[-1].end:
            raise _Gone
        found, at = [], 0
        for place in self._ledger.cover(segment):
            while at < len(lacking) and lacking[at].end <= place.start:
                at += 1
            if at < len(lacking) and lacking[at].offset < place.end:
                found.append(place)
        return found

    def _bring_all(self, hollow: Hollow, lacking: list[Record], cover: list[Place]) -> None:
        waiting = iter(lacking)
        record = next(waiting, None)
        begun = bytearray()  # of a record that goes on in the next object
        more = 0
        for place, data in self._read(cover):
            view, at = memoryview(data), place.start
            while record is not None and record.offset < place.end:
                at = max(at, record.offset) if not begun else at
                part = view[at - place.start : record.end - place.start]
                if begun or record.end > place.end:
                    begun += part
                if record.end > place.end:
                    break
                self._take(hollow, record, memoryview(begun) if begun else part)
                begun, at = bytearray(), record.end
                record = next(waiting, None)
            # Behind the first, so that a look that has little time gets on, too.
            if record is not None and self._enough():
                raise _Enough
            more += len(data)
            is_idle = self._pace.hands > 1 and all(each.done() for each in self._flushes)
            if record is not None and hollow.is_changed and more >= _FLUSHED_BYTES and is_idle:
                self._flush_soon(hollow)
                more = 0
        if record is not None:
            raise _Gone

    def _read(self, cover: list[Place]) -> Iterator[tuple[Place, bytes]]:
        if self._pace.hands > 1:
            return self._source.read_all(cover)
        return ((place, self._source.read(place)) for place in cover)

    def _take(self, hollow: Hollow, record: Record, data: memoryview) -> None:
        payload = hollow.payload_of(record, data)
        if payload is None:
            raise Integrity(
                f"The replica {self._objects.place} holds segment {hollow.segment} with other bytes"
                " than were written.",
                hint="What has come is whole, and nothing else was changed here. `jupyter rewind"
                " replica verify --read-data` shows all that is damaged.",
            )
        require_room(self._layout.folder, record.stored)
        hollow.write(record, payload)
        self._bytes += record.stored


class _Enough(Exception):
    """What has come is enough for now."""


class _Gone(Exception):
    """The replica has the segment no more: it was collected there."""
