"""Brings segments without the payloads of their larger chunks: what histories are read from.

Each gets its full length. Where a payload is left out there is a hole, and all else is where it
was written; so its batches are checked as ever, by tags that only the key's holder can make.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jupyter_rewind.errors import Integrity, NotFound
from jupyter_rewind.store.chunks import BASE_SIZE, Codec
from jupyter_rewind.store.durable import Files, read_at
from jupyter_rewind.store.framing import HEAD_SIZE, TAG_SIZE, Kind, Record, seal_of
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.partial import PartialReader
from jupyter_rewind.store.replica.fetching import Fetcher, Progress
from jupyter_rewind.store.replica.ledger import Ledger, Place
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.outline import (
    Outline,
    decode_outline,
    outline_key,
)
from jupyter_rewind.store.replica.pace import Pace

_KEPT_BYTES = 32 << 20
_HANDS = 8
_BLOCK = 1 << 20
Range = tuple[int, int]


class SparseFetcher(Fetcher):
    """A pull's way to the outlines of a replica."""

    def __init__(
        self,
        layout: Layout,
        files: Files,
        objects: Objects,
        ledger: Ledger,
        pace: Pace,
        progress: Progress | None,
    ) -> None:
        super().__init__(layout, files, objects, ledger, pace, progress)
        self._objects = objects
        self._pace = pace
        self._outlines: OrderedDict[str, Outline | None] = OrderedDict()
        self._outline_bytes = 0
        self._outline_lock = threading.Lock()
        self.left_out: dict[str, int] = {}
        """Segment -> so many bytes of payloads did not come."""

    def _fill(self, descriptor: int, part: Path, name: str, have: int) -> bool:
        left_out: list[Range] = []
        for place, outline in self._read_outlines(self._ledger.cover(name, have)):
            if outline is None:
                data = self._source.read(place)
                self._write(descriptor, data, place.start, part)
                continue
            end = place.at + place.end - place.start
            shift = place.start - place.at
            for at, data in outline.pieces(place.at, end):
                self._write(descriptor, data, at + shift, part)
            left_out += [
                (max(start, place.at) + shift, min(stop, end) + shift)
                for start, stop in outline.left_out
                if start < end and stop > place.at
            ]
        self._files.sync_data(descriptor, part)
        if not self._is_sound(descriptor, name, left_out):
            if not left_out:
                return False
            # An outline that was drawn wrongly: the packs have everything.
            return super()._fill(descriptor, part, name, have)
        self.left_out[name] = sum(end - start for start, end in left_out)
        return True

    def _copy_here(self, descriptor: int, part: Path, name: str, have: int) -> None:
        """Holes stay holes."""
        source = self._files.open(self._layout.segments / name)
        try:
            for at in range(0, have, _BLOCK):
                data = read_at(source, min(_BLOCK, have - at), at)
                if data.strip(b"\0"):
                    self._write(descriptor, data, at, part)
        finally:
            self._files.close(source)

    def _is_whole(self, path: Path, name: str, end: int) -> bool:
        """Never: what a lazy pull left behind that was killed costs little to fetch again, and
        which payloads it lacks is not known."""
        return False

    def _is_sound(self, descriptor: int, name: str, left_out: list[Range]) -> bool:
        """Whether the records follow on one another in whole batches up to the end, all but the
        payloads of chunks fits its tag, and nothing but payloads of chunks was left out."""
        end = self._ledger.ends[name]
        if os.fstat(descriptor).st_size != end:
            return False
        seal = seal_of(self._layout, name)
        reader = PartialReader(descriptor, seal, end)
        scan = reader.scan(0)
        if scan.end != end or scan.gaps or not all(batch.whole for batch in scan.batches):
            return False
        records = [record for batch in scan.batches for record in batch.records]
        sound = all(one.kind == Kind.CHUNK or reader.is_intact(one) for one in records)
        return sound and _are_payloads(left_out, records)

    def _read_outlines(self, places: list[Place]) -> Iterator[tuple[Place, Outline | None]]:
        if self._pace.hands == 1 or len(places) < 2:
            for place in places:
                self._pace.check()
                yield place, self._outline(place.key)
            return
        with ThreadPoolExecutor(_HANDS) as pool:
            # A few hundred ahead would fill the memory with what is small each.
            for first in range(0, len(places), 2 * _HANDS):
                some = places[first : first + 2 * _HANDS]
                yield from zip(
                    some, pool.map(self._outline, [one.key for one in some]), strict=True
                )

    def _outline(self, key: str) -> Outline | None:
        """The outline of what lies under `key`; None where there is none that reads."""
        if not key.startswith("packs/"):
            return None
        with self._outline_lock:
            if key in self._outlines:
                return self._outlines[key]
        try:
            data = self._objects.get(outline_key(key))
        except (NotFound, Integrity):
            outline = None
        else:
            self._pace.wait(len(data))
            outline = decode_outline(data, key, self._layout)
        with self._outline_lock:
            if key not in self._outlines:
                self._outlines[key] = outline
                self._outline_bytes += _size(outline)
            while self._outline_bytes > _KEPT_BYTES and len(self._outlines) > 1:
                self._outline_bytes -= _size(self._outlines.popitem(last=False)[1])
        return outline


def _are_payloads(ranges: list[Range], records: list[Record]) -> bool:
    """Whether each range lies in the payload of one chunk, behind what a delta begins with."""
    starts = [record.offset for record in records]
    for start, end in ranges:
        at = bisect_right(starts, start) - 1
        if at < 0:
            return False
        record = records[at]
        first = record.offset + HEAD_SIZE + (BASE_SIZE if record.codec == Codec.DELTA else 0)
        if record.kind != Kind.CHUNK or start < first or end > record.end - TAG_SIZE:
            return False
    return True


def _size(outline: Outline | None) -> int:
    return 0 if outline is None else len(outline.kept) + 64 * len(outline.left_out)
