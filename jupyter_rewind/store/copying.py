"""Copies what is needed of segments that are to go into segments that stay, as ordinary commits.

What is copied is what stands there, byte for byte, unless it is damaged here and whole elsewhere,
or a difference from something that goes.
"""

from __future__ import annotations

from collections.abc import Callable

from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store import chunks
from jupyter_rewind.store.framing import HEAD_SIZE, OVERHEAD, TAG_SIZE, Kind, Record
from jupyter_rewind.store.partial import Partial
from jupyter_rewind.store.plan import ENTRIES_A_COMMIT, Plan, tell_anew
from jupyter_rewind.store.reach import Reach
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.segments import Scan
from jupyter_rewind.store.transaction import Transaction

Progress = Callable[[int, int], None]
_BATCH_BYTES = 16 << 20


class Copier:
    """The copies of one collect: how much was written, and to which segments."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._partial = Partial(repository.layout)
        self._moved: set[Digest] = set()
        self._progress: Progress | None = None
        self._total = 0
        self.given_up: set[Digest] = set()
        self.written: set[str] = set()
        self.bytes = 0

    def tell_to(self, progress: Progress | None, total: int) -> None:
        """`progress` hears how many of `total` bytes are copied."""
        self._progress, self._total = progress, total

    def note(self) -> None:
        """A commit of copies was made."""
        self.written.add(self._repository.writer.segment)

    def copy_segments(self, plan: Plan, reach: Reach, scans: dict[str, Scan]) -> None:
        """What is needed of the plan's segments, of which `scans` tells, stands elsewhere, too."""
        for name in sorted(plan.picked):
            scan = scans.pop(name)
            wanted = [
                record
                for batch in scan.batches
                for record in batch.records
                if record.id in plan.needed
            ]
            at = 0
            while at < len(wanted):
                with self._repository.transaction() as tx:
                    at = self.copy_some(tx, plan, name, wanted, at)
                self.note()
            self._copy_entries(reach, plan, scan)

    def copy_some(
        self, tx: Transaction, plan: Plan, name: str, records: list[Record], at: int
    ) -> int:
        """Copies from `records[at]` until the commit is large; returns where to go on."""
        begun = tx.written_bytes
        with self._repository.reader(name) as reader:
            stream = reader.stream()
            while at < len(records) and tx.written_bytes - begun < _BATCH_BYTES:
                record = records[at]
                if record.id not in self._moved and not self._stands_elsewhere(record, plan):
                    self._move(
                        tx,
                        plan,
                        name,
                        record,
                        stream.read(record.offset, record.end - record.offset),
                    )
                at += 1
        self.bytes += tx.written_bytes - begun
        if self._progress is not None:
            self._progress(min(self.bytes, self._total), self._total)
        return at

    def _stands_elsewhere(self, record: Record, plan: Plan) -> bool:
        """True when another copy, whole and sure to be on the disk, stays; or a better one of a
        picked segment will be moved in place of this. What came from a replica is not sure to be,
        before all of its segment is."""
        partial = self._partial.places()
        delta = record.codec == chunks.Codec.DELTA
        with self._repository.index() as index:
            places = index.places(record.id)
        for place in places:
            whole = place.record.codec != chunks.Codec.DELTA
            if place.segment in plan.picked:
                if delta and whole:
                    return True
            elif whole and place.synced and place.segment not in partial:
                with self._repository.reader(place.segment) as reader:
                    if reader.is_intact(place.record):
                        return True
        return False

    def _move(
        self, tx: Transaction, plan: Plan, name: str, record: Record, data: memoryview
    ) -> None:
        kind, digest = Kind(record.kind), record.id
        whole = len(data) == OVERHEAD + record.stored
        if not (whole and self._repository.seal(name).fits(record.offset, data)):
            # Damaged here; if no other copy reads either, this raises Integrity.
            codec, packed = chunks.pack(self._repository.get(digest))
            tx.copy_record(kind, codec, record.raw, digest, bytes(packed))
        elif self._must_tell_anew(record, data, plan):
            codec_number, payload = tell_anew(self._repository, digest, plan.needed)
            tx.copy_record(kind, codec_number, record.raw, digest, payload)
        else:
            stored = bytes(data[HEAD_SIZE:-TAG_SIZE])
            payload = self._repository.seal(name).show(record, stored)
            tx.copy_record(kind, record.codec, record.raw, digest, payload)
        self._moved.add(digest)

    def _must_tell_anew(self, record: Record, data: memoryview, plan: Plan) -> bool:
        if record.codec != chunks.Codec.DELTA or record.id in self.given_up:
            # A delta whose base is lost may be whole again one day, when its base is stored again.
            return False
        start = bytes(data[HEAD_SIZE : HEAD_SIZE + chunks.BASE_SIZE])
        return self._repository.seal("").base(start)[1] not in plan.needed

    def _copy_entries(self, reach: Reach, plan: Plan, scan: Scan) -> None:
        entries: list[Entry] = []
        marks: list[EntryId] = []
        for batch in scan.batches:
            entries += [e for e in batch.commit.entries if self.must_move(e.id, reach, plan)]
            with self._repository.index() as index:
                marks += [name for name in batch.commit.expired if index.has_place(name)]
        for at in range(0, max(len(entries), len(marks)), ENTRIES_A_COMMIT):
            with self._repository.transaction() as tx:
                for entry in entries[at : at + ENTRIES_A_COMMIT]:
                    tx.copy_entry(entry)
                tx.expire(marks[at : at + ENTRIES_A_COMMIT])
            self.note()

    def must_move(self, name: EntryId, reach: Reach, plan: Plan) -> bool:
        """Whether the entry is alive and told by no segment that stays."""
        if name not in reach.entries:
            return False
        with self._repository.index() as index:
            rows = index.rows(
                "SELECT s.name FROM entry_places p JOIN segments s ON s.num=p.seg WHERE p.id=?",
                [name],
            )
            return all(segment in plan.picked for (segment,) in rows)
