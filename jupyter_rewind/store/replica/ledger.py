"""What a replica holds, read from its refs: how far each segment, and where its bytes lie.

Branches are listed one after the other while others push and collect. A ref says what its pusher
had seen of other branches, and what a ref needs is read before it is believed: so what is told
here is a state in which no commit lacks its bytes. A hole is an error, never a shorter segment,
but in what collecting has dropped. Who was overtaken by collecting reads everything again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from jupyter_rewind.errors import Integrity, NotFound
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.gathering import gathers, uncovered
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.refs import (
    LOG,
    WAYS_OUT,
    Ref,
    branch_prefix,
    decode_ref,
    parse_base_key,
    parse_ref_key,
    ref_key,
)

_BATCH = 256
_ROUNDS = 20
_KEPT_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes `start` to `end` of a segment: `key` holds them from byte `at` on; said on `branch` by
    somebody who knew of collecting of `epoch`."""

    start: int
    end: int
    key: str
    at: int
    branch: str = ""
    epoch: int = 0


class _Overtaken(Exception):
    """Collecting has taken away what was being read."""


@dataclass(slots=True)
class Ledger:
    """What was read of a replica so far."""

    layout: Layout
    replica: str
    numbers: dict[str, int] = field(default_factory=dict)
    """Branch -> the number of its newest ref."""
    sure: dict[str, int] = field(default_factory=dict)
    """Segment -> how far the replica has it, and collecting lets others build on it."""
    ends: dict[str, int] = field(default_factory=dict)
    """Segment -> how far the replica has it."""
    places: dict[str, list[Place]] = field(default_factory=dict)
    """Where the bytes of segments lie."""
    newest_ns: int = 0
    """When the newest push was made, by its pusher's clock."""
    bases: dict[str, int] = field(default_factory=dict)
    """Branch -> the number of the base that stands for all before it."""
    epochs: dict[str, int] = field(default_factory=dict)
    """Branch -> the last barrier on it."""
    generations: dict[str, int] = field(default_factory=dict)
    """Branch -> how many bases it has had."""
    closed: dict[str, int] = field(default_factory=dict)
    """Branch -> how many bases it had with the one that reading begins with."""
    needs: dict[str, dict[str, int]] = field(default_factory=dict)
    """Branch -> how far its pusher has read others."""
    condemned: dict[str, int] = field(default_factory=dict)
    """Segment -> the last barrier that condemned it."""
    barred: dict[str, int] = field(default_factory=dict)
    """Branch -> the epoch of the last barrier that stands on it, where no base came since."""
    dropped: set[str] = field(default_factory=set)
    """Segments of which collecting has left nothing of before it, or is about to."""
    claims: dict[str, set[str]] = field(default_factory=dict)
    """Branch -> segments that are in use there though they were condemned."""
    opened: set[str] = field(default_factory=set)
    """Branches that were said to be there on the branch LOG."""
    reads: int = 0
    """So many refs had to be read one by one."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """Some of them, whole: what is in them need not be asked for again."""
    _body_bytes: int = 0

    def read(self, objects: Objects, pace: Pace | None = None) -> None:
        """All that was pushed up to now is known. Raises Integrity, Newer, Storage."""
        for _ in range(_ROUNDS):
            self._forget()
            self.bases = read_bases(objects)
            try:
                self._read(objects, pace or Pace())
                return
            except _Overtaken:
                continue
        raise Integrity(f"The replica {objects.place} is being collected again and again.")

    def is_overtaken(self, objects: Objects) -> bool:
        """True when collecting may have deleted what is known here."""
        return read_bases(objects) != self.bases

    def add(self, ref: Ref, inline_at: int) -> None:
        """`ref` stands in the replica."""
        self.numbers[ref.branch] = max(ref.number, self.numbers.get(ref.branch, 0))
        self.newest_ns = max(self.newest_ns, ref.time_ns)
        epoch = max(ref.epoch, ref.barrier, ref.base)
        self.epochs[ref.branch] = max(epoch, self.epochs.get(ref.branch, 0))
        if ref.generation:
            before = self.generations.get(ref.branch, 0)
            self.generations[ref.branch] = max(ref.generation, before)
        if ref.barrier:
            self.barred[ref.branch] = max(ref.barrier, self.barred.get(ref.branch, 0))
        for segment in ref.condemned:
            self.condemned[segment] = max(ref.barrier, self.condemned.get(segment, 0))
        self.dropped.update(ref.dropped)
        self.opened.update(ref.opens)
        self.claims.setdefault(ref.branch, set()).update(ref.claims)
        needs = self.needs.setdefault(ref.branch, {})
        for branch, number in ref.needs.items():
            needs[branch] = max(number, needs.get(branch, 0))
        for piece in ref.pieces:
            key, at = (piece.pack, piece.at) if piece.pack else (ref.key, inline_at + piece.at)
            place = Place(piece.start, piece.end, key, at, ref.branch, max(ref.epoch, ref.base))
            self.places.setdefault(piece.segment, []).append(place)

    def cover(self, segment: str, start: int = 0) -> list[Place]:
        """Places that hold the segment from `start` to its end, in order, cut to fit."""
        found: list[Place] = []
        at = start
        for place in sorted(self.places.get(segment, ()), key=lambda each: (each.start, -each.end)):
            if place.start <= at < place.end:
                found.append(Place(at, place.end, place.key, place.at + at - place.start))
                at = place.end
        if at != max(start, self.ends.get(segment, 0)):
            raise Integrity(f"The replica has lost segment {segment} from byte {at} on.")
        return found

    def sum_up(self) -> list[tuple[str, int, int]]:
        """`ends` and `sure` are what the places say; the holes that are none of collecting's:
        segment, start and end."""
        holes = []
        for segment, places in self.places.items():
            end, hole = _reach(places)
            if hole and segment not in self.dropped:
                holes.append((segment, end, hole))
            elif not hole:
                self.ends[segment] = end
            least = self.condemned.get(segment, 0)
            end, _ = _reach([place for place in places if place.epoch >= least])
            if end:
                self.sure[segment] = end
        return holes

    def _forget(self) -> None:
        self.reads = self._body_bytes = 0
        for known in (
            self.bodies, self.numbers, self.sure, self.ends, self.places, self.epochs, self.needs,
            self.condemned, self.barred, self.dropped, self.generations,
            self.closed, self.claims, self.opened,
        ):  # fmt: skip
            known.clear()

    def _read(self, objects: Objects, pace: Pace) -> None:
        # The log first: who condemns says so there before it is said on any other branch.
        self._read_branches(objects, self.listed(objects, branch_prefix(LOG)), pace)
        self._read_branches(objects, self.listed(objects, "refs/"), pace)
        for _ in range(_ROUNDS):
            lacking = self._lacking()
            if not lacking:
                self._settle(objects)
                return
            for branch in lacking:
                self._read_branches(objects, self.listed(objects, branch_prefix(branch)), pace)
        missing = ref_key(*next(iter(lacking.items())))
        raise Integrity(
            f"The replica {objects.place} has lost {missing}, which others build on.",
            hint=WAYS_OUT,
        )

    def listed(self, objects: Objects, prefix: str) -> dict[str, list[int]]:
        """Branch -> the numbers of its refs under `prefix` that are not known yet and no base
        stands for; of branches that have a base in any case. One list for all of them: a user
        whose homes do not last has hundreds of branches."""
        found: dict[str, list[int]] = {
            branch: []
            for branch, base in self.bases.items()
            if ref_key(branch, base).startswith(prefix) and self.numbers.get(branch, 0) < base
        }
        for each in objects.find(prefix):
            parsed = parse_ref_key(each.key)
            if parsed is not None and parsed[1] > self._last(parsed[0]):
                found.setdefault(parsed[0], []).append(parsed[1])
        return found

    def _last(self, branch: str) -> int:
        """The number before the first that is to be read."""
        return max(self.numbers.get(branch, 0), self.bases.get(branch, 0) - 1)

    def _lacking(self) -> dict[str, int]:
        return {
            branch: number
            for needs in self.needs.values()
            for branch, number in needs.items()
            if self.numbers.get(branch, 0) < number
        }

    def _read_branches(
        self, objects: Objects, listed: Mapping[str, Sequence[int]], pace: Pace
    ) -> None:
        """What these refs say is known. First what stands for others, of all branches."""
        fresh: dict[str, Sequence[int]] = {}
        first: list[str] = []
        for branch, numbers in sorted(listed.items()):
            self._require_row(objects, branch, numbers)
            base = self.bases.get(branch, 0)
            is_based = base > self.numbers.get(branch, 0)
            fresh[branch] = numbers[1:] if is_based else numbers
            said = [*([base] if is_based else ()), *filter(gathers, fresh[branch])]
            first += [ref_key(branch, number) for number in said]
        covers: dict[str, dict[int, int]] = {}
        for ref in self._read_refs(objects, first, pace):
            if ref.number == self.bases.get(ref.branch, 0):
                if not ref.base:
                    raise Integrity(f"{ref.key} of the replica {objects.place} is no base.")
                self.closed[ref.branch] = ref.generation
            else:
                covers.setdefault(ref.branch, {})[ref.number] = ref.covers
        rest = [
            ref_key(branch, number)
            for branch, numbers in fresh.items()
            for number in uncovered(numbers, covers.get(branch, {}))
        ]
        for _ in self._read_refs(objects, rest, pace):
            pass

    def _require_row(self, objects: Objects, branch: str, numbers: Sequence[int]) -> None:
        """Nothing, where the numbers follow on one another, and on what is known."""
        last = self._last(branch)
        expected = range(last + 1, last + 1 + len(numbers))
        for number, found in zip(expected, numbers, strict=True):
            if number != found:
                raise self._lost(objects, branch, number)
        if self.bases.get(branch, 0) > last and not numbers:
            raise self._lost(objects, branch, self.bases[branch])

    def _lost(self, objects: Objects, branch: str, number: int) -> Exception:
        if self.is_overtaken(objects):
            return _Overtaken()
        return Integrity(
            f"The replica {objects.place} has lost {ref_key(branch, number)}.",
            hint=WAYS_OUT,
        )

    def _read_refs(self, objects: Objects, keys: Sequence[str], pace: Pace) -> Iterator[Ref]:
        """What these refs say is known, one after the other."""
        try:
            for key, data in _get_all(objects, keys, pace):
                ref, inline_at = decode_ref(data, key, self.layout, self.replica)
                self._keep(ref, data)
                self.add(ref, inline_at)
                yield ref
        except NotFound:
            if self.is_overtaken(objects):
                raise _Overtaken from None
            raise

    def _keep(self, ref: Ref, data: bytes) -> None:
        self.reads += 1
        has_bytes = any(not piece.pack for piece in ref.pieces)
        if has_bytes and self._body_bytes + len(data) <= _KEPT_BYTES:
            self._body_bytes += len(data)
            self.bodies[ref.key] = data

    def _settle(self, objects: Objects) -> None:
        holes = self.sum_up()
        if not holes:
            return
        if self.is_overtaken(objects):
            raise _Overtaken
        segment, start, end = holes[0]
        raise Integrity(
            f"The replica {objects.place} has lost bytes {start} to {end} of segment {segment}.",
            hint=WAYS_OUT,
        )


def read_bases(objects: Objects) -> dict[str, int]:
    """Branch -> the number of its newest base."""
    found: dict[str, int] = {}
    for each in objects.find("bases/"):
        parsed = parse_base_key(each.key)
        if parsed is not None:
            found[parsed[0]] = max(parsed[1], found.get(parsed[0], 0))
    return found


def _reach(places: Iterable[Place]) -> tuple[int, int]:
    """How far the places go without a hole, and where they go on behind one, or 0."""
    at = 0
    for each in sorted(places, key=lambda one: (one.start, -one.end)):
        if each.start > at:
            return at, each.start
        at = max(at, each.end)
    return at, 0


def _get_all(objects: Objects, keys: Sequence[str], pace: Pace) -> Iterator[tuple[str, bytes]]:
    """The objects in order, fetched a few at a time."""
    if pace.hands == 1:
        for key in keys:
            pace.check()
            yield key, objects.get(key)
        return
    with ThreadPoolExecutor(2 * pace.hands) as pool:
        for first in range(0, len(keys), _BATCH):
            some = keys[first : first + _BATCH]
            yield from zip(some, pool.map(objects.get, some), strict=True)


def news(numbers: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """The branches of which more is known than `before`."""
    return {branch: upto for branch, upto in numbers.items() if upto > before.get(branch, 0)}


def newest_refs(objects: Objects) -> dict[str, int]:
    """Branch -> the number of its newest ref in the replica."""
    newest: dict[str, int] = {}
    for prefix in (f"{LOG}/", "refs/"):
        for each in objects.find(prefix):
            parsed = parse_ref_key(each.key)
            if parsed is not None:
                newest[parsed[0]] = max(parsed[1], newest.get(parsed[0], 0))
    return newest


def go_so_far(numbers: Mapping[str, int], objects: Objects) -> bool:
    """Whether each of these branches goes so far in the replica."""
    newest = newest_refs(objects)
    return all(newest.get(branch, 0) >= number for branch, number in numbers.items())
