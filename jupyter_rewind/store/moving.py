"""What becomes of a segment whose file is taken away while it is being written.

A backup put back, a folder cleaned up, a store made anew: the writer's descriptor goes on taking
bytes that nobody else will ever see. So a commit counts only in a file that still has its name.
What an open descriptor still holds, and no file of that name does, is read from it and written
again elsewhere. It refuses to write to another store than the one that was opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from jupyter_rewind.errors import NotFound, RewindError, Unavailable
from jupyter_rewind.model.ids import WriterId
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.framing import Seal, seal_of
from jupyter_rewind.store.layout import Layout, read_store_id, retire_segments
from jupyter_rewind.store.segments import Batch, SegmentReader

REPLACED = "replaced"
"""The code of the error that tells of another store in the place of one that was open."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A segment that lost its name, still open: what stands up to `end` was acknowledged."""

    descriptor: int
    segment: WriterId
    end: int


def require_same_store(layout: Layout) -> None:
    """Nothing, while the store that was opened is the one in its place. Raises Unavailable."""
    try:
        found = read_store_id(layout.folder)
    except RewindError as error:
        raise Unavailable(
            f"The store at {layout.folder} was taken away while it was open: {error.message}",
            code="gone",
            hint="Put it back from a copy, or end this process and start it anew.",
        ) from error
    if found != layout.store_id:
        raise Unavailable(
            f"The store at {layout.folder} was replaced by another one while it was open.",
            code=REPLACED,
            hint="Nothing was written to the other one. Start this process anew to use it.",
            retryable=True,
        )


@dataclass(frozen=True, slots=True)
class Moved:
    """Segments that lost their names, and the commits made again for them, in order."""

    segments: set[WriterId] = field(default_factory=set)
    batches: list[Batch] = field(default_factory=list)


def note_taken(layout: Layout, files: Files, moved: Moved) -> None:
    """Nobody takes the absence of these segments for a loss. Never fails."""
    gone = [name for name in moved.segments if not (layout.segments / name).exists()]
    if gone:
        with suppress(RewindError):
            retire_segments(layout, files, [*gone])


def read_payloads(descriptor: int, seal: Seal, batch: Batch) -> list[bytes]:
    """What the batch's records hold."""
    reader = SegmentReader(descriptor, seal, batch.end)
    return [reader.shown(record) for record in batch.records]


def find_lost_batches(
    layout: Layout, files: Files, taken: Taken
) -> Iterator[tuple[Batch, list[bytes]]]:
    """The acknowledged commits that the open file holds, and the file of the segment's name does
    not, with their records' payloads."""
    seal = seal_of(layout, taken.segment)
    standing = {_tell(batch) for batch in _read_standing(layout, files, taken.segment, seal)}
    reader = SegmentReader(taken.descriptor, seal, taken.end)
    for batch in reader.scan(0).batches:
        if _tell(batch) not in standing:
            yield batch, [reader.shown(record) for record in batch.records]


def _read_standing(layout: Layout, files: Files, segment: str, seal: Seal) -> list[Batch]:
    path = layout.segments / segment
    try:
        descriptor = files.open(path)
    except NotFound:
        return []
    try:
        return SegmentReader(descriptor, seal, os.fstat(descriptor).st_size).scan(0).batches
    finally:
        files.close(descriptor)


def _tell(batch: Batch) -> tuple[int, int, bytes]:
    return batch.start, batch.end, batch.commit.batch
