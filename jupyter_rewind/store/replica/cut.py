"""How far each segment goes at one moment, while others write.

Content may stand in one segment and the commit that names it in another. So a push takes what the
store was at one instant: two looks at all segments that find the same. What only grows, and did
not between the end of the first look and the begin of the second, stood just so in between.
Where writers are too busy for that, they are kept out for the length of one look.
"""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_rewind.errors import Integrity, NotFound, Unavailable
from jupyter_rewind.model.ids import EntryId
from jupyter_rewind.store.locks import Barrier
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.repository import Repository

_LOOKS = 6
_PATIENCE_SECONDS = 10.0


def take_cut(repository: Repository) -> dict[str, int]:
    """Segment -> the end of its last commit, all at one moment.

    Raises Unavailable where writers are so busy, or hold the store so long, that there is none;
    Storage.
    """
    before = _look(repository)
    for _ in range(_LOOKS):
        now = _look(repository)
        if now == before:
            return now
        before = now
    barrier = Barrier(repository.layout.barrier)
    try:
        with barrier.held(exclusive=True, patience_seconds=_PATIENCE_SECONDS):
            return _look(repository)
    except Unavailable as error:
        raise Unavailable(
            f"The store at {repository.folder} is being written all the time.",
            hint="Nothing was changed. Push again in a while.",
            retryable=True,
        ) from error
    finally:
        barrier.close()


def _look(repository: Repository) -> dict[str, int]:
    repository.refresh()
    with repository.index() as index:
        return {name: end for name, (_, end) in index.segments().items() if end > 0}


@dataclass(frozen=True, slots=True)
class Tail:
    """Commits of a segment that a replica does not have, and the ids of their entries."""

    segment: str
    start: int
    end: int
    entries: frozenset[EntryId]

    @property
    def size(self) -> int:
        return self.end - self.start


def read_tail(repository: Repository, segment: str, start: int, end: int, pace: Pace) -> Tail:
    """What stands between two ends of commits, on the disk and checked byte for byte.

    Raises NotFound where the segment was collected meanwhile, Integrity where it is damaged.
    """
    path = repository.layout.segments / segment
    descriptor = repository.files.open(path)
    try:
        # Whoever restores from a replica must not find more there than this disk may keep.
        repository.files.sync_data(descriptor, path)
    finally:
        repository.files.close(descriptor)
    entries: set[EntryId] = set()
    at = start
    with repository.reader(segment) as reader:
        scan = reader.scan(start)
        for batch in scan.batches:
            if batch.end > end:
                break
            whole = batch.whole and batch.start == at
            if not (whole and all(map(reader.is_intact, batch.records))):
                raise _damaged(repository, segment, at)
            entries.update(entry.id for entry in batch.commit.entries)
            pace.check()
            at = batch.end
    if at != end:
        if not path.exists():
            raise NotFound(f"Segment {segment} was collected meanwhile.")
        raise _damaged(repository, segment, at)
    return Tail(segment, start, end, frozenset(entries))


def _damaged(repository: Repository, segment: str, at: int) -> Integrity:
    return Integrity(
        f"Nothing was pushed of the store at {repository.folder}: segment {segment} does not read"
        f" at byte {at}.",
        hint="What the replica has already is whole. `jupyter rewind verify` shows the damage; push"
        " again after `jupyter rewind salvage`.",
    )
