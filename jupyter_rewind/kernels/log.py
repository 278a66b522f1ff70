"""The segment that one kernel process writes its facts into.

Process-safe at once and power-safe within a second, like all that a kernel writes. No index is
opened and nothing is looked up: other readers find the entries through the store as usual.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jupyter_rewind import clock
from jupyter_rewind.model.entry import Entry, Json
from jupyter_rewind.model.ids import Digest, EntryId, WriterId
from jupyter_rewind.store import chunks
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.framing import Kind
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.writer import SegmentWriter


@dataclass(frozen=True, slots=True)
class Fact:
    """An entry to be: `content` is stored beside it and named by its roots."""

    kind: str
    keys: tuple[str, ...]
    body: Mapping[str, Json]
    content: bytes = b""


class EntryLog:
    """Writes entries; from any thread, and one commit at a time."""

    def __init__(self, layout: Layout, files: Files | None = None) -> None:
        self._writer = SegmentWriter(layout, files or Files(), power_safe=False)
        self._lock = threading.Lock()
        self._pid = clock.process()
        self._last_order = 0

    def write(self, facts: Sequence[Fact], expired: Iterable[EntryId] = ()) -> list[Entry]:
        """The facts are process-safe, and the expired entries gone, when this returns.

        Raises Storage; nothing of it counts then.
        """
        with self._lock:
            try:
                entries = [self._entry(fact) for fact in facts]
                self._writer.commit(entries, tuple(expired))
            except BaseException:
                self._writer.abort()
                raise
            self._writer.rotate_if_large()
            return entries

    @property
    def segment(self) -> WriterId:
        """The segment last written to; empty before the first time."""
        return self._writer.segment

    def leave(self) -> None:
        """The segment, which another process writes, is let go of."""
        self._writer.close()

    def close(self) -> None:
        """All is on the disk, and the segment is sealed."""
        with self._lock:
            if self._pid == clock.process():
                self._writer.close()

    def _entry(self, fact: Fact) -> Entry:
        self._last_order = max(clock.now_ns(), self._last_order + 1)
        roots = self._put(fact.content) if fact.content else ()
        name = EntryId(clock.new_id())
        return Entry(name, fact.kind, self._last_order, fact.keys, fact.body, roots)

    def _put(self, content: bytes) -> tuple[Digest, ...]:
        names: list[Digest] = []
        for piece in chunks.cut(content):
            name = chunks.digest(piece)
            if name not in names:
                codec, payload = chunks.pack(piece)
                self._writer.stage(Kind.CHUNK, codec, len(piece), name, payload)
            names.append(name)
        return tuple(names)
