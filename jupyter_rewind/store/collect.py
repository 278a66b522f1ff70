"""Gives back the room of what nothing reaches, while others write.

Two phases. First, beside the writers: mark what is alive, pick segments that nobody writes any
more, and copy what is needed of them into segments of its own, as ordinary commits. Then, alone
behind the barrier: look again at what was added since, copy what that needs, and only when
nothing is left to copy remove the old segments. At every moment all that is alive can be read; a
collect that is killed leaves copies, which the next one takes away.

Refuses where locks do not work, where another collect or salvage is at work, where content that
is alive cannot be read (what an unreadable node names must not be taken for garbage), and where
nobody knows how far the segments went. A segment that is damaged itself is left for a salvage.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from jupyter_rewind.errors import Conflict, Integrity, Internal, NotFound, RewindError
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store import chunks
from jupyter_rewind.store.copying import Copier, Progress
from jupyter_rewind.store.framing import Record
from jupyter_rewind.store.layout import ROTATING, Layout, note_retired_ends, retire_segments
from jupyter_rewind.store.locks import FileLock
from jupyter_rewind.store.plan import (
    THRESHOLD,
    Plan,
    Planner,
    base_of,
    free_segments,
)
from jupyter_rewind.store.reach import Reach, mark
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.segments import Scan
from jupyter_rewind.store.shut import find_shut, require_open
from jupyter_rewind.store.spare import in_spare_room
from jupyter_rewind.store.verify import is_overwritten, known_ends, known_losses, segment_sizes
from jupyter_rewind.store.witness import note_segments

log = logging.getLogger(__name__)
_LOOKS = 30


@dataclass(frozen=True, slots=True)
class CollectReport:
    """What was freed, or would be. `skipped` are segments left alone, and why."""

    freed_bytes: int
    kept_bytes: int
    copied_bytes: int
    segments_removed: int
    segments_written: int
    waiting_bytes: int
    """Garbage in segments that are still being written; a later collect frees it."""
    skipped: tuple[tuple[str, str], ...]
    dry_run: bool


def collect(
    repository: Repository,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
    threshold: float = THRESHOLD,
    must: Collection[str] = (),
) -> CollectReport:
    """What no entry reaches any more is gone from the disk, as far as it fills more than
    `threshold` of a segment that nobody writes; and the segments `must`, where nobody writes them.

    Raises Conflict (another upkeep is at work), Unavailable (no locks here), Integrity (damage:
    salvage first; nothing was removed), Storage (also when the disk is full; nothing was lost).
    """
    if dry_run:
        repository.end_segment()
        return _dry_run(repository, threshold)

    def run() -> CollectReport:
        from jupyter_rewind.store.rotation import forget_undecided  # which builds on this

        repository.end_segment()
        if not (repository.folder / ROTATING).exists():
            forget_undecided(repository.layout, repository.files)
        with repository.companion() as own:
            return _Collector(own, threshold, progress, must).run()

    with upkeep_lock(repository.layout, "collect"):
        report = in_spare_room(repository.layout, repository.files, run)
        repository.refresh()
        return report


def estimate_freed(
    repository: Repository, expired: Iterable[EntryId], *, threshold: float = THRESHOLD
) -> int:
    """Bytes that the next collect frees if these entries expire before it.

    Segments that are being written count as if their writers had ended.
    """
    repository.refresh()
    reach = mark(repository, frozenset(expired))
    every = segment_sizes(repository)
    plan = Planner(repository, reach, free=every, threshold=threshold).plan()
    return max(plan.freed_bytes, 0)


@contextmanager
def upkeep_lock(layout: Layout, doing: str) -> Iterator[None]:
    """Nobody else collects or salvages this store meanwhile. Raises Conflict, Unavailable."""
    lock = FileLock(layout.locks / "removal")
    if not lock.try_acquire(exclusive=True):
        raise Conflict(
            f"Could not {doing} the store at {layout.folder}: another collect or salvage is at"
            " work there.",
            hint="Nothing was changed. Try again when it has ended.",
            retryable=True,
        )
    try:
        yield
    finally:
        lock.release()


def _dry_run(repository: Repository, threshold: float) -> CollectReport:
    free = free_segments(repository)
    repository.refresh()
    plan = Planner(repository, mark(repository), free=free, threshold=threshold).plan()
    kept = sum(segment_sizes(repository).values()) - plan.freed_bytes
    return CollectReport(
        max(plan.freed_bytes, 0), kept, plan.copied_bytes, len(plan.picked), 0,
        plan.waiting_bytes, (), True,
    )  # fmt: skip


class _Collector:
    """One collect. Owns the repository it works through."""

    def __init__(
        self,
        repository: Repository,
        threshold: float,
        progress: Progress | None,
        must: Collection[str] = (),
    ) -> None:
        self._repository = repository
        self._must = must
        self._threshold = threshold
        self._progress = progress
        self._copier = Copier(repository)
        self._unfit: dict[str, str] = {}
        self._ends: dict[str, int] = {}
        self._removed_bytes = 0
        self._removed = 0

    def run(self) -> CollectReport:
        own = self._repository
        require_open(find_shut(own.layout, own.files, segment_sizes(own)), "collect")
        self._ends = known_ends(own)
        reach = Reach(self._repository)
        plan = Plan(frozenset(), (), 0, 0, 0)
        # What needs no room goes first: it may be all that a full disk can do.
        for dead_only in (True, False):
            free = free_segments(self._repository)
            self._repository.refresh()
            reach.follow_entries()
            self._require_whole(reach)
            plan, scans = self._plan(reach, free, dead_only)
            if plan.picked:
                ends = {name: scan.end for name, scan in scans.items()}
                self._copier.tell_to(self._progress, plan.copied_bytes)
                self._copier.copy_segments(plan, reach, scans)
                self._require_copied(plan, reach)
                self._finish(plan, reach, ends)
        self._repository.end_segment()
        sizes = segment_sizes(self._repository)
        written = sum(sizes.get(name, 0) for name in self._copier.written)
        return CollectReport(
            self._removed_bytes - written,
            sum(sizes.values()),
            self._copier.bytes,
            self._removed,
            len(self._copier.written),
            plan.waiting_bytes,
            tuple(sorted(self._unfit.items())),
            False,
        )

    def _require_whole(self, reach: Reach) -> None:
        require_open(self._repository.shut(), "collect")
        for away in reach.away.values():
            raise away
        self._copier.given_up = known_losses(self._repository)
        lost = reach.lost - self._copier.given_up
        if lost:
            raise Integrity(
                f"The store at {self._repository.folder} is damaged:"
                f" {len(lost)} chunks that are in use do not read.",
                hint="Nothing was removed. `jupyter rewind verify` shows what is damaged;"
                " `jupyter rewind salvage` keeps what reads, and then collect works again.",
            )

    def _plan(self, reach: Reach, free: set[str], dead_only: bool) -> tuple[Plan, dict[str, Scan]]:
        """The plan, and a scan of each picked segment that shows it to be whole."""
        while True:
            planner = Planner(
                self._repository, reach, free=free, threshold=self._threshold, unfit=self._unfit,
                must=self._must,
            )  # fmt: skip
            plan = planner.plan(dead_only=dead_only)
            scans: dict[str, Scan] = {}
            before = len(self._unfit)
            for name in sorted(plan.picked):
                scan, why = self._scan(name)
                scans[name] = scan
                if why:
                    self._unfit[name] = why
            if len(self._unfit) == before:
                return plan, scans

    def _scan(self, name: str) -> tuple[Scan, str]:
        with self._repository.index() as index:
            scanned = index.segments().get(name, (0, 0))[1]
        with self._repository.reader(name) as reader:
            scan = reader.scan(0)
        # What an index knows that was made since the damage was done is less than what there was.
        known_end = max(scanned, self._ends.get(name, 0))
        is_cut = bool(scan.gaps) or scan.end < known_end
        if is_cut or (not scan.batches and is_overwritten(self._repository, name)):
            return scan, "damaged; salvage it first"
        return scan, ""

    # --- phase one ----------------------------------------------------------------------

    def _require_copied(self, plan: Plan, reach: Reach) -> None:
        """A fault of ours must stop here, where nothing was removed yet."""
        with self._repository.index() as index:
            numbers = [num for name, (num, _) in index.segments().items() if name in plan.picked]
            inside = ",".join(map(str, numbers))
            for table, key, wanted in (
                ("chunks", "digest", plan.needed),
                ("entry_places", "id", reach.entries),
            ):
                rows = index.rows(
                    f"SELECT a.{key} FROM {table} a WHERE a.seg IN ({inside}) AND NOT EXISTS"
                    f" (SELECT 1 FROM {table} b WHERE b.{key}=a.{key} AND b.seg NOT IN ({inside}))"
                )
                for (name,) in rows:
                    if name in wanted:
                        raise Internal(f"Collect would have removed {name!r}; nothing was removed.")

    # --- phase two ----------------------------------------------------------------------

    def _finish(self, plan: Plan, reach: Reach, ends: dict[str, int]) -> None:
        """Removes the picked segments once nothing alive needs them. Nobody writes meanwhile."""
        needed = set(plan.needed)
        plan = replace(plan, needed=needed)
        for _ in range(_LOOKS):
            with self._repository.transaction(exclusive=True) as tx:
                self._require_unwritten(ends)
                late = self._look_again(plan, reach, needed)
                if not late:
                    self._remove(plan, ends)
                    return
                for name, records in late.items():
                    at = 0
                    while at < len(records):
                        at = self._copier.copy_some(tx, plan, name, records, at)
            self._copier.note()
        log.info("collect left %s segments: writers were faster", len(plan.picked))

    def _require_unwritten(self, ends: dict[str, int]) -> None:
        """Nothing, while the picked segments end where they ended when they were read."""
        with self._repository.index() as index:
            now = index.segments()
        grown = sorted(name for name, end in ends.items() if now.get(name, (0, 0))[1] > end)
        if grown:
            raise Conflict(
                f"Could not collect the store at {self._repository.folder}: segment {grown[0]} is"
                " being written, though its lock file is gone.",
                hint="Nothing was removed. Try again: its writer makes the file anew.",
                retryable=True,
            )

    def _look_again(self, plan: Plan, reach: Reach, needed: set[Digest]) -> dict[str, list[Record]]:
        """What was added since was built on content that is to go: those records, by segment."""
        wait = list(reach.follow_entries())
        self._require_whole(reach)
        late: dict[str, list[Record]] = {}
        seen: set[Digest] = set()
        while wait:
            digest = wait.pop()
            if digest in seen:
                continue
            seen.add(digest)
            needed.add(digest)
            with self._repository.index() as index:
                places = index.places(digest)
            stay = [place for place in places if place.segment not in plan.picked]
            if any(place.record.codec == chunks.Codec.DELTA for place in stay):
                base = base_of(self._repository, digest)
                if base is not None and base not in needed:
                    wait.append(base)
            if places and not stay:
                best = min(places, key=lambda place: place.record.codec == chunks.Codec.DELTA)
                late.setdefault(best.segment, []).append(best.record)
        return late

    def _remove(self, plan: Plan, ends: dict[str, int]) -> None:
        layout, files = self._repository.layout, self._repository.files
        sizes = segment_sizes(self._repository)
        # Before anything goes: without the note another index would report a loss that is none.
        retire_segments(layout, files, list(plan.picked))
        for name in plan.picked:
            try:
                files.remove(layout.segments / name)
            except NotFound:
                continue
            self._removed += 1
            self._removed_bytes += sizes.get(name, 0)
        files.sync_folder(layout.segments)
        with suppress(RewindError):
            # Now there is room for what the list could not take.
            retire_segments(layout, files, [])
            note_retired_ends(layout, files, ends)
            note_segments(layout, files, {})
        for name in plan.picked:
            layout.lock_of(name).unlink(missing_ok=True)
