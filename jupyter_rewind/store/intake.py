"""Takes what reads of one store into another: content first, then the entries that name it.

Content is believed by its own name: it goes in only if its digest fits, whatever its tag says.
What the target holds already is not written again, so that a stopped intake is simply repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from jupyter_rewind.errors import Format, Integrity, NotFound
from jupyter_rewind.model.encoding import Commit, decode_commit
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store import chunks
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.framing import Kind, Record, Seal
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.segments import SegmentReader

Progress = Callable[[int, int], None]
Piece = tuple[Record, bytes]
_BATCH_BYTES = 16 << 20
_ENTRIES_A_COMMIT = 500


class Source(Protocol):
    """One segment to take from. What `commits` holds is complete once `read` has ended."""

    size: int
    commits: list[Commit]

    def read(self) -> Iterator[Piece]:
        """Chunks and nodes with their payloads; their digests are not checked yet."""


@dataclass(slots=True)
class Taken:
    """What an intake added to the target."""

    records: int = 0
    bytes: int = 0
    entries: int = 0


@dataclass(slots=True)
class ForeignSegment:
    """A segment without its key: found by what its records look like."""

    path: Path
    files: Files
    size: int = 0
    commits: list[Commit] = field(default_factory=list)

    def read(self) -> Iterator[Piece]:
        descriptor = self.files.open(self.path)
        try:
            self.size = self.path.stat().st_size
            reader = SegmentReader(descriptor, Seal(bytes(32), "", self.path.name), self.size)
            for record in reader.likely():
                payload = reader.payload(record)
                if record.kind != Kind.COMMIT:
                    yield record, payload
                elif (commit := _commit(record, payload)) is not None:
                    self.commits.append(commit)
        finally:
            self.files.close(descriptor)


def take(sources: Iterable[Source], target: Repository, progress: Progress | None) -> Taken:
    """Everything of `sources` that reads stands in `target`, durably. Raises Storage."""
    sources = list(sources)
    taken = Taken()
    deltas: list[Piece] = []
    total = sum(source.size for source in sources)
    done = 0
    for source in sources:
        _put(_whole(source.read(), deltas), target, taken)
        done += source.size
        if progress is not None:
            progress(done, total)
    while deltas:
        # Each round adds those whose base is there; what is left in the end hangs on nothing.
        before = len(deltas)
        waiting: list[Piece] = []
        _put(_resolved(deltas, target, waiting), target, taken)
        if len(waiting) == before:
            break
        deltas = waiting
    for source in sources:
        _add_entries(source.commits, target, taken)
    return taken


def _whole(pieces: Iterable[Piece], deltas: list[Piece]) -> Iterator[Piece]:
    for record, payload in pieces:
        if record.codec == chunks.Codec.DELTA:
            deltas.append((record, payload))
        elif _fits(record, payload, _no_base):
            yield record, payload


def _resolved(deltas: list[Piece], target: Repository, waiting: list[Piece]) -> Iterator[Piece]:
    for record, payload in deltas:
        if target.has(record.id):
            continue
        if _fits(record, payload, target.get):
            yield record, payload
        else:
            waiting.append((record, payload))


def _fits(record: Record, payload: bytes, read_base: Callable[[Digest], bytes]) -> bool:
    try:
        raw = chunks.unpack(record.codec, payload, record.raw, read_base)
    except (Integrity, NotFound, Format):
        return False
    return chunks.digest(raw) == record.id


def _put(pieces: Iterator[Piece], target: Repository, taken: Taken) -> None:
    ended = False
    while not ended:
        with target.transaction() as tx:
            inside: set[Digest] = set()
            while tx.written_bytes < _BATCH_BYTES:
                piece = next(pieces, None)
                if piece is None:
                    ended = True
                    break
                record, payload = piece
                if record.id in inside or target.has(record.id):
                    continue
                kind = Kind(record.kind)
                tx.copy_record(kind, record.codec, record.raw, record.id, payload)
                inside.add(record.id)
                taken.records += 1
                taken.bytes += record.end - record.offset


def _add_entries(commits: list[Commit], target: Repository, taken: Taken) -> None:
    entries = [entry for commit in commits for entry in commit.entries]
    expired = [name for commit in commits for name in commit.expired]
    for at in range(0, max(len(entries), len(expired)), _ENTRIES_A_COMMIT):
        with target.transaction() as tx:
            for entry in _unknown(entries[at : at + _ENTRIES_A_COMMIT], target):
                tx.copy_entry(entry)
                taken.entries += 1
            tx.expire(expired[at : at + _ENTRIES_A_COMMIT])


def _unknown(entries: list[Entry], target: Repository) -> list[Entry]:
    with target.index() as index:
        marks = index.expired_marks()
        return [
            entry for entry in entries if entry.id not in marks and not index.has_place(entry.id)
        ]


def _commit(record: Record, payload: bytes) -> Commit | None:
    try:
        raw = chunks.unpack(record.codec, payload, record.raw, _no_base)
        return decode_commit(raw) if chunks.digest(raw) == record.id else None
    except (Integrity, NotFound, Format):
        return None


def _no_base(_: Digest) -> bytes:
    raise NotFound("A difference from content that is not there yet.")
