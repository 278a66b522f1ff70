"""A salvage in place: damaged segments are written anew, and then set aside.

The order makes it safe to be stopped anywhere: what reads is copied and synced, losses are
written down, and only then the damaged file is renamed into `damaged/`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import Integrity, NotFound, RewindError
from jupyter_rewind.model.encoding import Commit
from jupyter_rewind.model.entry import Entry, Json
from jupyter_rewind.model.ids import Digest, EntryId, StoreId
from jupyter_rewind.store import chunks
from jupyter_rewind.store.framing import Kind, Record
from jupyter_rewind.store.layout import retire_segments
from jupyter_rewind.store.partial import read_partial
from jupyter_rewind.store.plan import is_busy
from jupyter_rewind.store.reach import affected_entries, mark
from jupyter_rewind.store.replica.hollows import is_hollow
from jupyter_rewind.store.replica.notes import noted_segments
from jupyter_rewind.store.replica.turns import taking_turns
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.segments import Scan, SegmentReader
from jupyter_rewind.store.shut import find_shut
from jupyter_rewind.store.untold import Untold, find_untold
from jupyter_rewind.store.verify import (
    SALVAGE_KIND,
    find_bad_records,
    is_overwritten,
    known_ends,
    known_losses,
    missing_ends,
    segment_sizes,
    verify,
    without_absent,
)
from jupyter_rewind.store.witness import note_segments

log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
_BATCH_RECORDS = 2_000
_BATCH_BYTES = 16 << 20
_PULL_FIRST = (
    "some of its contents are in a replica alone: `jupyter rewind replica pull`, then salvage"
    " again; or, where no replica has them any more, `jupyter rewind salvage --without-replicas`"
)


@dataclass(frozen=True, slots=True)
class Lost:
    """Content that nothing holds any more. `segment` is empty where nobody knows where it stood."""

    digest: Digest
    segment: str
    offset: int
    affected: tuple[EntryId, ...]
    """Entries that lead to it; empty when nothing in view needs it."""


@dataclass(frozen=True, slots=True)
class SalvageReport:
    """What was kept, what was lost, and where the whole store now is."""

    folder: Path
    store_id: StoreId
    config_mended: bool
    set_aside: tuple[str, ...]
    kept_records: int
    kept_bytes: int
    kept_entries: int
    entries_from_index: int
    """Of the entries kept: those whose record was gone, though the index still told them."""
    lost: tuple[Lost, ...]
    affected: tuple[EntryId, ...]
    skipped: tuple[tuple[str, str], ...]
    """Segments left alone, and why."""
    gone: tuple[str, ...] = ()
    """Segments whose file was gone, and which are not missed from now on."""
    witness_mended: bool = False
    untold: tuple[Untold, ...] = ()
    """Places that no longer read and of which nobody can tell what they held."""

    @property
    def changed(self) -> bool:
        mended = self.config_mended or self.witness_mended
        return bool(self.set_aside or self.gone or mended or self.entries_from_index)


@dataclass(slots=True)
class _Tally:
    records: int = 0
    bytes: int = 0
    entries: int = 0
    from_index: int = 0
    set_aside: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    witness_mended: bool = False
    skipped: dict[str, str] = field(default_factory=dict)
    untold: tuple[Untold, ...] = ()


class Mender:
    """One salvage of a store in place."""

    def __init__(
        self,
        repository: Repository,
        mended: bool,
        progress: Progress | None,
        *,
        without_replicas: bool = False,
    ) -> None:
        """`without_replicas`, contents that only a replica has count as lost."""
        self._repository = repository
        self._mended = mended
        self._without_replicas = without_replicas
        self._progress = progress
        self._tally = _Tally()
        self._ends: dict[str, int] = {}
        self._partial: dict[str, str] = {}

    def run(self) -> SalvageReport:
        # Verify lays down the evidence: what the index knew and what no longer reads.
        self._mend_witness()
        if self._without_replicas:
            self._give_up_partial()
        self._ends = known_ends(self._repository)
        self._partial = read_partial(self._repository.layout)
        verify(self._repository, read_data=True, progress=self._progress)
        with self._repository.index() as index:
            evidence = {digest: (name, at) for digest, name, at, _ in index.evidence.chunks()}
        reach = mark(self._repository)
        dangling = bool(reach.missing - known_losses(self._repository))
        damaged = []
        names = segment_sizes(self._repository)
        # What this user may not read is not damaged, as far as anybody can tell.
        own = self._repository
        self._tally.skipped.update(find_shut(own.layout, own.files, names))
        for name in sorted(names.keys() - self._tally.skipped.keys()):
            why = self._find_damage(name, dangling)
            if why and is_busy(self._repository, name):
                self._tally.skipped[name] = f"{why}; it is being written, salvage it later"
            elif why and self._waits_for_replica(name):
                self._tally.skipped[name] = f"{why}; {_PULL_FIRST}"
            elif why:
                damaged.append(name)
        gone = missing_ends(self._repository, self._ends)
        self._tally.untold = find_untold(self._repository, damaged, gone, self._ends)
        for name in damaged:
            self._rewrite(name)
        self._rewrite_entries_from_index()
        lost = name_losses(self._repository, evidence)
        self._set_aside(damaged)
        tally = self._tally
        return SalvageReport(
            self._repository.folder,
            self._repository.store_id,
            self._mended,
            tuple(tally.set_aside),
            tally.records,
            tally.bytes,
            tally.entries,
            tally.from_index,
            lost,
            entries_of(lost),
            tuple(sorted(tally.skipped.items())),
            tuple(tally.gone),
            tally.witness_mended,
            tally.untold,
        )

    def _mend_witness(self) -> None:
        """A witness that does not read lies under `damaged/`, and another is made."""
        layout, files = self._repository.layout, self._repository.files
        try:
            known_ends(self._repository)
        except Integrity:
            files.make_folder(layout.damaged)
            files.rename(layout.witness, layout.damaged / f"witness.{clock.new_id()}")
            files.sync_folder(layout.damaged)
            with self._repository.index() as index:
                ends = index.synced_ends()
            note_segments(layout, files, ends)
            self._tally.witness_mended = True

    def _give_up_partial(self) -> None:
        """What is not here is damage: the file that says otherwise lies under `damaged/`."""
        layout, files = self._repository.layout, self._repository.files
        with taking_turns(layout, "pull", f"A pull into the store at {layout.folder}"):
            if layout.partial.exists():
                files.make_folder(layout.damaged)
                files.rename(layout.partial, layout.damaged / f"partial.{clock.new_id()}")
                files.sync_folder(layout.damaged)
                files.sync_folder(layout.folder)

    def _waits_for_replica(self, name: str) -> bool:
        """Whether a pull may bring what is missing, also where that is not known any more."""
        if self._without_replicas:
            return False
        layout = self._repository.layout
        was_there = name in noted_segments(layout)
        return name in self._partial or (was_there and is_hollow(self._repository, name))

    def _find_damage(self, name: str, dangling: bool) -> str:
        with self._repository.index() as index:
            scanned = index.segments().get(name, (0, 0))[1]
            rows = index.evidence.chunks()
            buried = any(segment == name for _, segment, _, _ in rows)
            buried = buried or any(segment == name for _, segment in index.evidence.entries())
        try:
            with self._repository.reader(name) as reader:
                scan = reader.scan(0)
                bad = find_bad_records(reader.stream(), self._repository.seal(name), scan)
                if name in self._partial:
                    bad, _ = without_absent(bad)
                # A segment that lost its end lost a commit with it. The records before the cut
                # are whole, and others may name them.
                cut_off = dangling and bool(scan.torn) and _has_content(reader, scan.end)
            overwritten = not scan.batches and is_overwritten(self._repository, name)
        except NotFound:
            return ""
        known_end = max(scanned, self._ends.get(name, 0))
        if cut_off or scan.gaps or scan.end < known_end or bad or buried or overwritten:
            return "damaged"
        return ""

    def _rewrite(self, name: str) -> None:
        """What reads of the segment stands in a new one as well, durably."""
        with self._repository.reader(name) as reader:
            scan = reader.scan(0)
            records = list(reader.intact())
        with self._repository.index() as index:
            scanned = index.segments().get(name, (0, 0))[1]
        known_end = max(scanned, self._ends.get(name, 0))
        with self._repository.reader(name) as reader:
            commits = commits_of(reader, scan, records, known_end)
            content = [record for record in records if record.kind != Kind.COMMIT]
            self._copy_content(reader, name, content)
        entries = [entry for commit in commits for entry in commit.entries]
        expired = [each for commit in commits for each in commit.expired]
        known = self._entries_elsewhere(name, entries)
        for at in range(0, max(len(entries), len(expired)), _BATCH_RECORDS):
            with self._repository.transaction() as tx:
                for entry in entries[at : at + _BATCH_RECORDS]:
                    if entry.id not in known:
                        tx.copy_entry(entry)
                        self._tally.entries += 1
                tx.expire(expired[at : at + _BATCH_RECORDS])

    def _copy_content(self, reader: SegmentReader, name: str, records: list[Record]) -> None:
        at = 0
        while at < len(records):
            with self._repository.transaction() as tx:
                begun = tx.written_bytes
                while at < len(records) and tx.written_bytes - begun < _BATCH_BYTES:
                    record = records[at]
                    at += 1
                    if not self._stands_elsewhere(record, name):
                        tx.copy_record(
                            Kind(record.kind), record.codec, record.raw, record.id,
                            reader.shown(record),
                        )  # fmt: skip
                        self._tally.records += 1
                        self._tally.bytes += record.end - record.offset

    def _stands_elsewhere(self, record: Record, name: str) -> bool:
        with self._repository.index() as index:
            places = index.places(record.id)
        for place in places:
            if place.segment in {name, *self._partial} or place.record.codec == chunks.Codec.DELTA:
                continue
            try:
                with self._repository.reader(place.segment) as reader:
                    if place.synced and reader.is_intact(place.record):
                        return True
            except NotFound:
                continue
        return False

    def _entries_elsewhere(self, name: str, entries: list[Entry]) -> set[EntryId]:
        found = set()
        with self._repository.index() as index:
            number = index.segments().get(name, (-1, 0))[0]
            for entry in entries:
                text = "SELECT 1 FROM entry_places WHERE id=? AND seg<>? LIMIT 1"
                if next(index.rows(text, [entry.id, number]), None) is not None:
                    found.add(entry.id)
        return found

    def _rewrite_entries_from_index(self) -> None:
        """Entries whose record is gone, and which the index still tells, are records again."""
        with self._repository.index() as index:
            with index.writing():
                index.evidence.forgive()
            names = [name for name, _ in index.evidence.entries()]
            entries = [entry for name in names if (entry := index.entry(name)) is not None]
        for at in range(0, len(entries), _BATCH_RECORDS):
            with self._repository.transaction() as tx:
                for entry in entries[at : at + _BATCH_RECORDS]:
                    tx.copy_entry(entry)
        self._tally.from_index += len(entries)
        self._tally.entries += len(entries)

    def _set_aside(self, names: list[str]) -> None:
        """The damaged segments lie under `damaged/`: everything they held that reads is durable.
        Those whose file is gone are missed no more, for the report has named them."""
        layout, files = self._repository.layout, self._repository.files
        gone = sorted(missing_ends(self._repository, self._ends))
        if not names and not gone:
            return
        files.make_folder(layout.damaged)
        with self._repository.transaction(exclusive=True):
            retire_segments(layout, files, [*names, *gone])
            for name in names:
                target = layout.damaged / name
                if target.exists():
                    target = layout.damaged / f"{name}.{clock.new_id()}"
                files.rename(layout.segments / name, target)
                self._tally.set_aside.append(name)
            files.sync_folder(layout.damaged)
            files.sync_folder(layout.segments)
            with contextlib.suppress(RewindError):
                note_segments(layout, files, {})
        self._tally.gone += gone
        self._repository.refresh()


def _has_content(reader: SegmentReader, start: int) -> bool:
    return any(record.offset >= start and record.kind != Kind.COMMIT for record in reader.intact())


def commits_of(
    reader: SegmentReader, scan: Scan, records: list[Record], scanned: int
) -> list[Commit]:
    """Commits that the segment still tells: those believed, and those behind them that the index
    had seen when they were."""
    found = [batch.commit for batch in scan.batches]
    for record in records:
        if record.kind == Kind.COMMIT and scan.end <= record.offset < scanned:
            commit = reader.commit(record)
            if commit is not None:
                found.append(commit)
    return found


def name_losses(repository: Repository, places: dict[Digest, tuple[str, int]]) -> tuple[Lost, ...]:
    """What is named and cannot be had, apart from what was given up before.

    An entry keeps the list, so that it is known to be lost and not taken for new damage. Nothing is
    named while a segment may not be read.
    """
    repository.refresh()
    if find_shut(repository.layout, repository.files, segment_sizes(repository)):
        # What is named and not found may stand there, and is had again with the right to read it.
        return ()
    repository.forget_read()
    reach = mark(repository)
    needing: dict[Digest, list[EntryId]] = {}
    for name, digests in affected_entries(repository, reach).items():
        for digest in digests:
            needing.setdefault(digest, []).append(name)
    fresh = sorted(reach.lost - known_losses(repository))
    if fresh:
        names: list[Json] = [digest.hex() for digest in fresh]
        body: dict[str, Json] = {"lost": names, "time": clock.now_ns()}
        with repository.transaction() as tx:
            tx.add(SALVAGE_KIND, keys=[SALVAGE_KIND], body=body)
    return tuple(
        Lost(digest, *places.get(digest, ("", 0)), tuple(sorted(needing.get(digest, ()))))
        for digest in fresh
    )


def entries_of(lost: Iterable[Lost]) -> tuple[EntryId, ...]:
    """The entries that lost something, each once."""
    return tuple(sorted({name for each in lost for name in each.affected}))
