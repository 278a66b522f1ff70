"""The append-only file that one writer owns: records, their framing, and how it is read back.

A segment is a row of records (format 1, in an encrypted store 2; little-endian):

    head     16 bytes  magic, kind, codec, format, stored size, raw size
    id       32 bytes  blake3 of the raw content
    payload  the stored bytes
    tag      16 bytes  keyed blake3 over store, segment, offset, head and id, and over the payload
                       where that is not the raw content itself: there the id speaks for it

In an encrypted store, id and payload are hidden as `encryption` says, and the tag is over both.

A batch is any number of chunks and nodes, closed by one commit record, which says how many they
are and carries a keyed digest over their heads, ids and tags. A batch without its commit record
was never there. The bytes behind the last commit are zero (room held ready) or a torn tail.

Reading refuses to guess. A batch that its writer had not yet known to be on the disk is read in
full before it is believed, and the first such batch that fails ends the segment. Damage in front
of a batch that proves the place was once synced is damage: it is named, and what reads behind it
still counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from jupyter_rewind.errors import Format, Integrity, Newer
from jupyter_rewind.model.encoding import Commit, check_format, decode_commit
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.chunks import BASE_SIZE, unpack
from jupyter_rewind.store.framing import (
    HEAD,
    HEAD_SIZE,
    KINDS,
    MAGIC,
    OVERHEAD,
    SEALED_FORMAT,
    TAG_SIZE,
    Kind,
    Record,
    Seal,
)
from jupyter_rewind.store.stream import PAGE, ByteStream, read_lenient, written_length

_WINDOW = 1 << 16
_LEAP = 1 << 9
#: What is said of the end that a segment had once and has no more.
SHORTENED = "the file has become shorter"


@dataclass(frozen=True, slots=True)
class Batch:
    """One commit and the records before it that can be read."""

    start: int
    end: int
    records: tuple[Record, ...]
    commit: Commit
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes of a segment that no longer read, and what is known of them."""

    offset: int
    length: int
    what: str


@dataclass(slots=True)
class Scan:
    """What a segment holds from the offset where the scan began."""

    batches: list[Batch] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    end: int = 0
    torn: int = 0
    """Bytes behind the last commit that are neither zero nor believed: an unfinished batch."""


class SegmentReader:
    """Reads the records of one open segment; knows nothing of an index."""

    def __init__(self, descriptor: int, seal: Seal, size: int) -> None:
        self._descriptor = descriptor
        self._seal = seal
        self._size = size
        self._window = b""
        self._window_at = 0

    @property
    def size(self) -> int:
        """Bytes of the file when it was opened."""
        return self._size

    def payload(self, record: Record) -> bytes:
        """The stored bytes, unchecked; fewer than `record.stored` when the file is shorter."""
        return read_lenient(self._descriptor, record.stored, record.offset + HEAD_SIZE)

    def shown(self, record: Record) -> bytes:
        """The payload, unchecked but for its encryption. Raises Integrity."""
        return self._seal.show(record, self.payload(record))

    def base(self, record: Record) -> tuple[int, Digest]:
        """The depth of the difference, and what it is told from, though the rest of its payload may
        not be here. Raises Integrity."""
        start = min(record.stored, BASE_SIZE)
        return self._seal.base(read_lenient(self._descriptor, start, record.offset + HEAD_SIZE))

    def stream(self) -> ByteStream:
        """For whole records, in the order of their places."""
        return ByteStream(self._descriptor)

    def is_intact(self, record: Record) -> bool:
        """True when the record's tag fits every byte of it."""
        data = read_lenient(self._descriptor, OVERHEAD + record.stored, record.offset)
        if len(data) != OVERHEAD + record.stored:
            return False
        return self._seal.fits(record.offset, memoryview(data))

    def scan(self, start: int, *, deep: bool = True) -> Scan:
        """All that can be believed from `start`, the end of a commit (or 0).

        Without `deep`, zero bytes at the end of what was known are taken for room held ready,
        and nothing behind them is looked for.
        """
        scan = Scan(end=start)
        at = start
        while True:
            found = self._batch(at)
            if found is None and (deep or self._peek(at, len(MAGIC)).strip(b"\0")):
                found = self._resume(at, scan)
            if found is None:
                break
            scan.batches.append(found)
            at = found.end
        self._doubt(scan, start)
        scan.end = scan.batches[-1].end if scan.batches else start
        scan.torn = self._unread(scan.end) if deep else 0
        return scan

    def intact(self) -> Iterator[Record]:
        """Every record that fits its tag, whatever lies between them."""
        at: int | None = 0
        while at is not None:
            record = self._next(at)
            if record is not None and self.is_intact(record):
                yield record
                at = record.end
            else:
                at = next(self._magics(at + 1), None)

    def likely(self) -> Iterator[Record]:
        """Everything that looks like a record; for segments whose key is gone."""
        return (record for at in self._magics(0) if (record := self._next(at)) is not None)

    def head(self, offset: int) -> Record | None:
        """The record whose head stands at `offset`, or None. Raises Newer for a later format."""
        return self._parse(offset, self._peek(offset, HEAD_SIZE))

    def _parse(self, offset: int, head: bytes) -> Record | None:
        if len(head) < HEAD_SIZE:
            return None
        magic, kind, codec, number, stored, raw, name = HEAD.unpack(head)
        if magic != MAGIC or kind not in KINDS or offset + OVERHEAD + stored > self._size:
            return None
        if number != self._seal.format:
            check_format(number, SEALED_FORMAT, f"A record of segment {self._seal.segment}")
            return None  # it is in the clear where all is encrypted, or the other way round
        if self._seal.cipher is not None:
            name = self._seal.cipher.show_name(name)
        return Record(offset, kind, codec, stored, raw, name)

    def _batch(self, start: int) -> Batch | None:
        """The whole batch that starts at `start`, checked by its commit; payloads unread."""
        records: list[Record] = []
        proofs: list[bytes] = []
        at = start
        head = self._peek(at, HEAD_SIZE)
        while (record := self._next(at, head)) is not None:
            if record.kind == Kind.COMMIT:
                commit = self.commit(record)
                if commit is None or commit.records != len(records):
                    return None
                if commit.batch != self._seal.batch(proofs):
                    return None
                return Batch(start, record.end, tuple(records), commit)
            at += OVERHEAD + record.stored
            # The tag, and the head that stands right behind it.
            edge = self._peek(at - TAG_SIZE, TAG_SIZE + HEAD_SIZE)
            records.append(record)
            proofs += (head, edge[:TAG_SIZE])
            head = edge[TAG_SIZE:]
        return None

    def _next(self, offset: int, head: bytes | None = None) -> Record | None:
        try:
            return self.head(offset) if head is None else self._parse(offset, head)
        except Newer:
            # A later format is refused only where the record is truly ours, not where garbage
            # happens to look like one.
            _, kind, codec, _, *rest = HEAD.unpack(self._peek(offset, HEAD_SIZE))
            if self.is_intact(Record(offset, kind, codec, *rest)):
                raise
            return None

    def commit(self, record: Record) -> Commit | None:
        """What the commit record says, if it fits its tag. Raises Newer."""
        if not self.is_intact(record):
            return None
        try:
            payload = self.shown(record)
            return decode_commit(unpack(record.codec, payload, record.raw, _no_base))
        except Newer:
            raise
        except (Format, Integrity):
            return None

    def _resume(self, at: int, scan: Scan) -> Batch | None:
        """The next batch behind damage at `at`, if a later commit proves that it is damage."""
        found = self._find_batch(at)
        if found is None or not self._proves(found, at):
            return None
        # What proves the damage was written after what stands at `at`: a writer at work may have
        # put it there since it was looked for.
        self._window = b""
        late = self._batch(at)
        if late is not None:
            return late
        scan.gaps += self._holes(at, found)
        return found

    def _holes(self, at: int, batch: Batch) -> list[Gap]:
        """What does not read between `at` and the commit record that ends the batch."""
        what = "bytes that do not read as records"
        holes = []
        start = at
        for record in batch.records:
            if record.offset > at:
                holes.append(Gap(at, record.offset - at, what))
            at = record.end
        last = self._commit_behind(at)
        if last is not None and last.offset > at:
            holes.append(Gap(at, last.offset - at, what))
        return holes or [Gap(start, 1, what)]

    def _proves(self, batch: Batch, at: int) -> bool:
        """True when this or a later commit says that the bytes at `at` were once synced."""
        while True:
            if batch.commit.synced > at:
                return True
            following = self._batch(batch.end) or self._find_batch(batch.end)
            if following is None:
                return False
            batch = following

    def _find_batch(self, at: int) -> Batch | None:
        """The first commit behind `at` that is intact, with the intact records before it."""
        # Without a commit there is nothing to be believed: a large commit under way is not hashed
        # by everyone who looks meanwhile.
        last = self._commit_behind(at)
        commit = self.commit(last) if last is not None else None
        if last is None or commit is None:
            return None
        records: list[Record] = []
        for offset in self._magics(at):
            if offset >= last.offset:
                break
            record = self._next(offset)
            if record is None or (records and offset < records[-1].end):
                continue
            if record.kind != Kind.COMMIT and self.is_intact(record):
                records.append(record)
        return Batch(at, last.end, tuple(records), commit, whole=False)

    def _commit_behind(self, at: int) -> Record | None:
        """The first commit record from `at` on that fits its tag."""
        for offset in self._magics(at):
            record = self._next(offset)
            if record is not None and record.kind == Kind.COMMIT and self.commit(record):
                return record
        return None

    def _magics(self, start: int) -> Iterator[int]:
        at = start
        while at < self._size:
            block = read_lenient(self._descriptor, 1 << 20, at)
            if len(block) < len(MAGIC):
                return
            written = written_length(block)
            found = block.find(MAGIC, 0, written)
            while found >= 0:
                yield at + found
                found = block.find(MAGIC, found + 1, written)
            at += max(len(block) - len(MAGIC) + 1, 1)

    def _doubt(self, scan: Scan, start: int) -> None:
        """Drops the tail of batches that may never have reached the disk and do not read."""
        synced = max((batch.commit.synced for batch in scan.batches), default=start)
        for number, batch in enumerate(scan.batches):
            if batch.end <= synced:
                continue
            if not all(self.is_intact(record) for record in batch.records):
                del scan.batches[number:]
                scan.gaps = [gap for gap in scan.gaps if gap.offset < batch.start]
                return

    def _unread(self, at: int) -> int:
        torn = 0
        while at < self._size:
            block = read_lenient(self._descriptor, 1 << 20, at)
            written = written_length(block)
            if not block or not (written or torn):
                # Room held ready is zero to its end; a look at each byte of it would cost a
                # megabyte for every segment of a writer that was killed.
                break
            torn += written
            at += len(block)
        return torn

    def _peek(self, offset: int, size: int) -> bytes:
        at = offset - self._window_at
        if at < 0 or at + size > len(self._window):
            # Far from what was read last, records are large: what lies between is not wanted.
            near = 0 <= at <= len(self._window) + PAGE
            self._window = read_lenient(
                self._descriptor, max(_WINDOW if near else _LEAP, size), offset
            )
            self._window_at, at = offset, 0
        return self._window[at : at + size]


def _no_base(_: Digest) -> bytes:
    raise Integrity("A commit record cannot be a delta.")
