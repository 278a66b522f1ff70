"""Which content is here, of a store of which some payloads may lie in a replica alone.

Content is here when its payload is, and, where it is told as a difference, when all that it is
told from is here, too. What was said to be here may be built on, so it can be flushed: a payload
that came from a replica was not, when it was written into its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from jupyter_rewind.errors import Integrity, NotFound
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store import chunks
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.framing import Kind, Record
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.locks import ProcessLock
from jupyter_rewind.store.partial import Payloads

Found = Iterable[tuple[str, Record]]


class Presence:
    """What is here of one store, as one process sees it. Thread-safe."""

    def __init__(
        self,
        layout: Layout,
        files: Files,
        payloads: Payloads,
        places: Callable[[Digest], Found],
        base: Callable[[str, Record], Digest],
    ) -> None:
        """`places` tells where content stands, `base` what a difference is told from."""
        self._layout = layout
        self._files = files
        self._payloads = payloads
        self._places = places
        self._base = base
        self._relied: set[str] = set()
        self._flushing = ProcessLock()

    def has(self, digest: Digest) -> bool:
        """False for content that is known to lie in a replica alone."""
        partial = self._payloads.places()
        return not partial or self._has(digest, partial, 0)

    def lacking(self, digests: Iterable[Digest]) -> Iterator[Digest]:
        """Those that are known to lie in a replica alone; asked at once for them all."""
        partial = self._payloads.places()
        return (one for one in digests if partial and not self._has(one, partial, 0))

    def flush(self) -> None:
        """What was said to be here since the last flush is on the disk. Raises Storage."""
        # Who comes while another one flushes the same waits until that is done.
        with self._flushing:
            relied, self._relied = self._relied, set()
            try:
                for segment in sorted(relied):
                    self._flush_one(self._layout.segments / segment)
            except BaseException:
                self._relied |= relied
                raise

    def _flush_one(self, path: Path) -> None:
        # Collected since: then nothing that is being built stands on it.
        with suppress(NotFound):
            descriptor = self._files.open(path)
            try:
                self._files.sync_data(descriptor, path)
            finally:
                self._files.close(descriptor)

    def _has(self, digest: Digest, partial: Mapping[str, str], depth: int) -> bool:
        places = list(self._places(digest))
        for segment, record in places:
            if self._stands(segment, record, partial, depth):
                return True
        # What nobody can place was written by this process, and waits to be told.
        return not places

    def _stands(self, segment: str, record: Record, partial: Mapping[str, str], depth: int) -> bool:
        may_lack = segment in partial and record.kind == Kind.CHUNK
        if may_lack and not self._payloads.is_here(segment, record):
            return False
        if record.codec == chunks.Codec.DELTA:
            try:
                base = self._base(segment, record)
            except (NotFound, Integrity):
                return False
            if depth > 2 * chunks.MAX_DEPTH or not self._has(base, partial, depth + 1):
                return False
        if may_lack:
            self._relied.add(segment)
        return True
