"""What a collect would take away and what of it must move: decided here, done in `collect`.

A segment is picked when enough of it is garbage, or when it is one of many small ones. A chunk
that only a delta stands on is needed as long as that delta stays where it is; where the delta
moves, it is told anew from the nearest content that stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from jupyter_rewind.errors import Integrity, NotFound, RewindError
from jupyter_rewind.model.encoding import Commit, encode_commit
from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store import chunks
from jupyter_rewind.store.framing import OVERHEAD
from jupyter_rewind.store.locks import is_locked
from jupyter_rewind.store.reach import Reach
from jupyter_rewind.store.repository import Repository

THRESHOLD = 0.1
_MIN_GARBAGE = 4 << 10
_SMALL = 4 << 20
_MERGE_COUNT = 16
_COMMIT_BYTES = 160
_MARK_BYTES = 12
ENTRIES_A_COMMIT = 500


@dataclass(slots=True)
class SegmentFacts:
    """One segment as the index knows it. `free` is one that nobody writes any more."""

    name: str
    number: int
    size: int
    scanned: int
    synced: int
    free: bool
    kept: int = 0
    """Bytes of needed content that this segment alone answers for."""
    told: int = 0
    """Bytes that its entries and expiry marks take when they are written again."""

    @property
    def garbage(self) -> int:
        return self.size - self.kept - self.told - _COMMIT_BYTES


@dataclass(frozen=True, slots=True)
class Plan:
    """Segments to take away, and what must stay readable. Sizes are estimates."""

    picked: frozenset[str]
    needed: Collection[Digest]
    freed_bytes: int
    copied_bytes: int
    waiting_bytes: int
    """Garbage in segments that are still being written."""


class Planner:
    """Weighs the segments of a store against what is alive in it."""

    def __init__(
        self,
        repository: Repository,
        reach: Reach,
        *,
        free: Collection[str],
        threshold: float = THRESHOLD,
        unfit: Mapping[str, str] | None = None,
        must: Collection[str] = (),
    ) -> None:
        """`free` may be taken away: segments that nobody wrote any more before `reach` began, or
        an entry could have been added to them since that it does not know. Of these, `must` are
        taken away however little of them is garbage."""
        self._repository = repository
        self._reach = reach
        self._threshold = threshold
        self._unfit = unfit or {}
        self._must = must
        self._segments = _survey(repository, free)
        self._deltas = self._find_deltas()
        self._weigh_entries()

    def plan(self, *, dead_only: bool = False) -> Plan:
        """What to do; with `dead_only`, only segments from which no content must move."""
        picked = {
            each.name
            for each in self._segments.values()
            if each.free and each.name not in self._unfit
        }
        needed = self._weigh(picked)
        merged = self._small(picked)
        while True:
            spared = {
                name
                for name in picked
                if not self._is_worth(self._segments[name], merged, dead_only)
            }
            if not spared:
                break
            picked -= spared
            needed = self._weigh(picked)
        return self._describe(picked, needed)

    def _describe(self, picked: set[str], needed: set[Digest]) -> Plan:
        chosen = [self._segments[name] for name in picked]
        copied = sum(each.kept + each.told for each in chosen)
        copied += sum(self._growth(name, needed) for name in picked)
        copied += _COMMIT_BYTES if copied else 0
        waiting = sum(
            max(each.scanned - each.kept - each.told, 0)
            for each in self._segments.values()
            if not each.free
        )
        freed = sum(each.size for each in chosen) - copied
        return Plan(frozenset(picked), needed, freed, copied, waiting)

    def _is_worth(self, facts: SegmentFacts, merged: Collection[str], dead_only: bool) -> bool:
        if facts.kept == 0 and facts.told == 0:
            return True
        if facts.name in self._must:
            return not dead_only
        least = max(_MIN_GARBAGE, int(self._threshold * facts.size))
        if dead_only:
            return facts.kept == 0 and facts.told < _MIN_GARBAGE and facts.garbage >= least
        return facts.garbage >= least or facts.name in merged

    def _small(self, picked: Collection[str]) -> set[str]:
        small = {name for name in picked if self._segments[name].size < _SMALL}
        return small if len(small) >= _MERGE_COUNT else set()

    # --- what is needed, and where ------------------------------------------------------

    def _weigh(self, picked: Collection[str]) -> set[Digest]:
        """Fills in `kept` for every segment; returns what must stay readable."""
        needed = self._reach.live | self._bases_of_those_that_stay(picked)
        left = set(needed)
        stay = [each for each in self._segments.values() if each.name not in picked]
        go = [each for each in self._segments.values() if each.name in picked]
        for each in stay:
            each.kept = self._claim(each, left, stays=True)
        # The fullest of what was needed first: copies in emptier ones are then garbage.
        for each in sorted(go, key=lambda facts: -facts.kept / max(facts.size, 1)):
            each.kept = self._claim(each, left, stays=False)
        return needed

    def _claim(self, facts: SegmentFacts, left: set[Digest], *, stays: bool) -> int:
        """Bytes of `left` that this segment answers for; taken out of `left`.

        In a segment that stays, a copy that is a delta, or may not be on the disk yet, counts as
        used but answers for nothing: another copy moves all the same.
        """
        size = 0
        with self._repository.index() as index:
            rows = list(
                index.rows(
                    "SELECT digest, at, codec, stored FROM chunks WHERE seg=?", [facts.number]
                )
            )
        for digest, at, codec, stored in rows:
            if digest in left:
                size += OVERHEAD + stored
                if not stays or (codec != chunks.Codec.DELTA and at < facts.synced):
                    left.discard(digest)
        return size

    def _bases_of_those_that_stay(self, picked: Collection[str]) -> set[Digest]:
        extra: set[Digest] = set()
        wait = [
            base
            for name, rows in self._deltas.items()
            if name not in picked
            for base in rows.values()
        ]
        while wait:
            base = wait.pop()
            if base in self._reach.live or base in extra:
                continue
            extra.add(base)
            deeper = self._base_if_stays(base, picked)
            if deeper is not None:
                wait.append(deeper)
        return extra

    def _base_if_stays(self, digest: Digest, picked: Collection[str]) -> Digest | None:
        with self._repository.index() as index:
            stays = any(place.segment not in picked for place in index.places(digest))
        return base_of(self._repository, digest) if stays else None

    def _find_deltas(self) -> dict[str, dict[Digest, Digest]]:
        """For each segment: the deltas in it that are alive, and what they stand on."""
        found: dict[str, dict[Digest, Digest]] = {}
        for facts in self._segments.values():
            with self._repository.index() as index:
                rows = index.rows(
                    "SELECT digest FROM chunks WHERE seg=? AND codec=?",
                    [facts.number, int(chunks.Codec.DELTA)],
                )
                mine = [Digest(digest) for (digest,) in rows if digest in self._reach.live]
            bases = {digest: base_of(self._repository, digest) for digest in mine}
            found[facts.name] = {digest: base for digest, base in bases.items() if base is not None}
        return found

    def _growth(self, name: str, needed: Collection[Digest]) -> int:
        """Bytes that the deltas of this segment grow by when their bases go."""
        grown = 0
        for digest, base in self._deltas[name].items():
            if base in needed:
                continue
            try:
                _, payload = tell_anew(self._repository, digest, needed)
            except (Integrity, NotFound):
                continue
            with self._repository.index() as index:
                before = min((place.record.stored for place in index.places(digest)), default=0)
            grown += len(payload) - before
        return grown

    # --- entries ------------------------------------------------------------------------

    def _weigh_entries(self) -> None:
        seen: set[EntryId] = set()
        for facts in sorted(self._segments.values(), key=lambda each: each.free):
            with self._repository.index() as index:
                names = [
                    name
                    for name in index.entry_places(facts.number)
                    if name in self._reach.entries and name not in seen
                ]
                marks = sum(index.has_place(name) for name in index.expired_marks(facts.number))
            seen.update(names)
            facts.told = _MARK_BYTES * marks
            for at in range(0, len(names), ENTRIES_A_COMMIT):
                with self._repository.index() as index:
                    some = [index.entry(name) for name in names[at : at + ENTRIES_A_COMMIT]]
                facts.told += _packed_size([entry for entry in some if entry is not None])


def base_of(repository: Repository, digest: Digest) -> Digest | None:
    """What the content stands on, or None where it is whole or cannot be told."""
    try:
        return repository.delta_base(digest)
    except (Integrity, NotFound):
        return None


def tell_anew(
    repository: Repository, digest: Digest, needed: Collection[Digest]
) -> tuple[int, bytes]:
    """Codec and payload of a delta whose base goes: told from the nearest content before it that
    is needed, or whole. Raises Integrity, NotFound."""
    raw = repository.get(digest)
    base = repository.delta_base(digest)
    while base is not None and base not in needed:
        base = repository.delta_base(base)
    if base is not None:
        told = chunks.pack_delta(raw, base, repository.get(base), repository.depth(base))
        if told is not None:
            return told
    codec, payload = chunks.pack(raw)
    return codec, bytes(payload)


def _packed_size(entries: list[Entry]) -> int:
    if not entries:
        return 0
    _, payload = chunks.pack(encode_commit(Commit(0, 0, bytes(16), tuple(entries))))
    return len(payload)


def free_segments(repository: Repository) -> set[str]:
    """Segments that nobody writes now, and so never again."""
    names = [path.name for path in repository.layout.segments.iterdir() if path.is_file()]
    return {name for name in names if name[0] != "." and not is_busy(repository, name)}


def used_bytes(repository: Repository) -> int:
    """What the segments take on the disk, without the room that writers hold ready."""
    repository.refresh()
    return sum(each.size for each in _survey(repository, ()).values())


def _survey(repository: Repository, free: Collection[str]) -> dict[str, SegmentFacts]:
    found = {}
    with repository.index() as index:
        rows = list(index.rows("SELECT num, name, scanned, synced FROM segments ORDER BY name"))
    for number, name, scanned, synced in rows:
        try:
            size = (repository.layout.segments / name).stat().st_size
        except FileNotFoundError:
            continue
        if is_busy(repository, name):
            # Behind the last commit there is room held ready, which goes when the writer ends.
            size = scanned
        found[name] = SegmentFacts(name, number, size, scanned, synced, name in free)
    return found


def is_busy(repository: Repository, name: str) -> bool:
    """True while somebody writes this segment, and where nobody can tell."""
    try:
        return name == repository.writer.segment or is_locked(repository.layout.lock_of(name))
    except RewindError:
        return True
