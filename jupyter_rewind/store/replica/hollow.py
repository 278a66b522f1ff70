"""A segment of which some payloads may lie in a replica alone, open: what is here, and a place for
what comes.

A payload is written only if it fits the tag that its record has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from jupyter_rewind.store.durable import Files, read_at
from jupyter_rewind.store.framing import HEAD_SIZE, TAG_SIZE, Kind, Record, seal_of
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.partial import PartialReader
from jupyter_rewind.store.standing import identify, is_named

_END = 64


class Hollow:
    """A segment that may lack payloads, open. Raises NotFound where it was collected."""

    def __init__(
        self, layout: Layout, files: Files, segment: str, path: Path | None = None
    ) -> None:
        """The segment's file may lie under another `path`."""
        self.segment = segment
        self._files = files
        self._path = path or layout.segments / segment
        self._seal = seal_of(layout, segment)
        self._reading = files.open(self._path)
        self._writing = -1
        size = os.fstat(self._reading).st_size
        self.reader = PartialReader(self._reading, self._seal, size)

    def __enter__(self) -> Hollow:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """The file is not held any more."""
        self._files.close(self._reading)
        if self._writing >= 0:
            self._files.close(self._writing)

    @property
    def is_named(self) -> bool:
        """Whether this is still the file that others find."""
        return is_named(identify(self._reading), self._path)

    @property
    def is_changed(self) -> bool:
        """Whether anything was written through this."""
        return self._writing >= 0

    def payload(self, record: Record) -> bytes | None:
        """The record's payload, where it is here."""
        return self.reader.payload(record) if self.reader.is_intact(record) else None

    def lacking(self) -> Iterator[Record]:
        """The records whose payloads are not here, in order."""
        for batch in self.reader.scan(0).batches:
            for record in batch.records:
                if record.kind == Kind.CHUNK and not self.reader.is_intact(record):
                    yield record

    def to_fill(self) -> Iterator[Record]:
        """As `lacking`, and perhaps some that are here and end in zeros, as holes do: to compare
        those would be to read a large segment where all of it is still to come."""
        for batch in self.reader.scan(0).batches:
            for record in batch.records:
                if record.kind == Kind.CHUNK and (
                    self._ends_in_zeros(record.offset, record.stored)
                    or not self.reader.is_intact(record)
                ):
                    yield record

    def has_hole(self, at: int, stored: int) -> bool:
        """Whether the payload of the record at `at`, of `stored` bytes, was left out: what was, has
        nothing at its end. Whether it fits is asked only then, for content may end so, too."""
        if not self._ends_in_zeros(at, stored):
            return False
        record = self.reader.head(at)
        return record is not None and not self.reader.is_intact(record)

    def _ends_in_zeros(self, at: int, stored: int) -> bool:
        short = min(stored, _END)
        return not read_at(self._reading, short, at + HEAD_SIZE + stored - short).strip(b"\0")

    def fits(self, record: Record, payload: bytes) -> bool:
        """Whether `payload` is what a holder of the key put there."""
        head = read_at(self._reading, HEAD_SIZE, record.offset)
        tag = read_at(self._reading, TAG_SIZE, record.end - TAG_SIZE)
        return self._seal.fits(record.offset, memoryview(head + payload + tag))

    def payload_of(self, record: Record, data: memoryview) -> memoryview | None:
        """The payload in `data`, which is to be the whole record; None where it is another one
        than a holder of the key put there."""
        head = read_at(self._reading, HEAD_SIZE, record.offset)
        if data[:HEAD_SIZE] != head or not self._seal.fits(record.offset, data):
            return None
        return data[HEAD_SIZE:-TAG_SIZE]

    def write(self, record: Record, payload: bytes | memoryview) -> None:
        """The payload, which fits, stands in its place. Raises Storage."""
        if self._writing < 0:
            self._writing = self._files.open_again(self._path)
        at = record.offset + HEAD_SIZE
        self._files.write_at(self._writing, [payload], at, self._path)

    def flush(self) -> None:
        """What anybody has written here is on the disk. Raises Storage."""
        if self._writing < 0:
            self._writing = self._files.open_again(self._path)
        self._files.sync_data(self._writing, self._path)
