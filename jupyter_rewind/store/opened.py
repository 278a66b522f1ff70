"""The segments that a process keeps open to read from, the last used ones.

It holds on to none that was removed, or the disk would not get its room back; and a forked child
lets go of its parent's, whose places in the files it would share.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_rewind import clock
from jupyter_rewind.errors import Integrity
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store import chunks
from jupyter_rewind.store.durable import Files, read_at, read_into
from jupyter_rewind.store.framing import HEAD_SIZE, seal_of
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.locks import ProcessLock


class OpenSegments:
    """At most so many segments, open for reading. Thread-safe."""

    def __init__(self, layout: Layout, files: Files, *, most: int) -> None:
        self._layout = layout
        self._files = files
        self._most = most
        self._lock = ProcessLock()
        self._descriptors: OrderedDict[str, int] = OrderedDict()
        self._pid = clock.process()

    def read(self, segment: str, size: int, offset: int) -> bytes:
        """Up to `size` bytes of the segment; fewer only at its end. Raises NotFound, Storage;
        Integrity where the disk does not give them."""
        with self._reading(segment, offset) as descriptor:
            return read_at(descriptor, size, offset)

    def read_into(self, segment: str, target: memoryview, offset: int) -> int:
        """How many bytes of the segment now stand in `target`. Raises as `read` does."""
        with self._reading(segment, offset) as descriptor:
            return read_into(descriptor, target, offset)

    def base(self, segment: str, offset: int, stored: int) -> tuple[int, Digest]:
        """The depth of the difference whose record stands at `offset`, and what it is told from.
        Raises as `read` does, and Integrity."""
        start = self.read(segment, min(stored, chunks.BASE_SIZE), offset + HEAD_SIZE)
        return seal_of(self._layout, segment).base(start)

    def close_one(self, segment: str) -> None:
        """The segment is not open any more."""
        with self._lock:
            self._adopt_process()
            descriptor = self._descriptors.pop(segment, None)
            if descriptor is not None:
                self._files.close(descriptor)

    def close_removed(self) -> None:
        """Segments whose files are gone are let go."""
        with self._lock:
            self._adopt_process()
            for name in [name for name, one in self._descriptors.items() if _is_removed(one)]:
                self._files.close(self._descriptors.pop(name))

    def close(self) -> None:
        with self._lock:
            self._adopt_process()
            while self._descriptors:
                self._files.close(self._descriptors.popitem()[1])

    @contextmanager
    def _reading(self, segment: str, offset: int) -> Iterator[int]:
        with self._lock:
            descriptor = self._open(segment)
            try:
                yield descriptor
            except OSError as error:
                # A bad sector costs the records on it, not those of other segments.
                raise Integrity(
                    f"Segment {segment} at byte {offset} cannot be read ({error.strerror})."
                ) from error

    def _open(self, segment: str) -> int:
        self._adopt_process()
        descriptor = self._descriptors.pop(segment, None)
        if descriptor is not None and _is_removed(descriptor):
            # Collected meanwhile, and perhaps there under its name again.
            self._files.close(descriptor)
            descriptor = None
        if descriptor is None:
            descriptor = self._files.open(self._layout.segments / segment)
        self._descriptors[segment] = descriptor
        while len(self._descriptors) > self._most:
            self._files.close(self._descriptors.popitem(last=False)[1])
        return descriptor

    def _adopt_process(self) -> None:
        if self._pid != clock.process():
            self._pid = clock.process()
            self._descriptors.clear()


def _is_removed(descriptor: int) -> bool:
    return os.fstat(descriptor).st_nlink == 0
