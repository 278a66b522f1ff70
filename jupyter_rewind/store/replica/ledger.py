"""What a replica holds, read from its refs: how far each segment, and where its bytes lie.

Branches are listed one after the other while others push. A ref says what its pusher had seen of
other branches, and what a ref needs is read before it is believed: so what is told here is a
state in which no commit lacks its bytes. A hole is an error, never a shorter segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from jupyter_rewind.errors import Integrity
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.gathering import gathers, uncovered
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.refs import Ref, decode_ref, parse_ref_key, ref_key

_BATCH = 256
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes `start` to `end` of a segment: `key` holds them from byte `at` on."""

    start: int
    end: int
    key: str
    at: int


@dataclass(slots=True)
class Ledger:
    """What was read of a replica so far."""

    layout: Layout
    replica: str
    numbers: dict[str, int] = field(default_factory=dict)
    """Branch -> the number of its newest ref."""
    ends: dict[str, int] = field(default_factory=dict)
    """Segment -> how far the replica has it."""
    places: dict[str, list[Place]] = field(default_factory=dict)
    """Where the bytes of segments lie, as far as their refs were read here."""
    newest_ns: int = 0
    """When the newest push was made, by its pusher's clock."""
    _needed: dict[str, int] = field(default_factory=dict)

    def read(self, objects: Objects, pace: Pace | None = None) -> None:
        """All that was pushed up to now is known. Raises Integrity, Newer, Storage."""
        wanted: Iterable[str] = objects.folders("refs/")
        for _ in range(_ROUNDS):
            for branch in wanted:
                self._read_branch(objects, branch, pace or Pace())
            wanted = [
                branch
                for branch, number in self._needed.items()
                if self.numbers.get(branch, 0) < number
            ]
            if not wanted:
                self._settle(objects.place)
                return
        missing = ref_key(*next(iter((b, self._needed[b]) for b in wanted)))
        raise Integrity(
            f"The replica {objects.place} has lost {missing}, which others build on.",
            hint="Nothing was changed. `jupyter rewind replica verify` shows what is missing.",
        )

    def add(self, ref: Ref, inline_at: int) -> None:
        """`ref` stands in the replica."""
        self.numbers[ref.branch] = max(ref.number, self.numbers.get(ref.branch, 0))
        self.newest_ns = max(self.newest_ns, ref.time_ns)
        for branch, number in ref.needs.items():
            self._needed[branch] = max(number, self._needed.get(branch, 0))
        for piece in ref.pieces:
            place = (
                Place(piece.start, piece.end, piece.pack, piece.at)
                if piece.pack
                else Place(piece.start, piece.end, ref.key, inline_at + piece.at)
            )
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

    def _read_branch(self, objects: Objects, branch: str, pace: Pace) -> None:
        last = self.numbers.get(branch, 0)
        listed = [each.key for each in objects.find(f"refs/{branch}/", after=ref_key(branch, last))]
        numbers = [parsed[1] for key in listed if (parsed := parse_ref_key(key)) is not None]
        for number, expected in zip(numbers, range(last + 1, last + 1 + len(numbers)), strict=True):
            if number != expected:
                raise Integrity(
                    f"The replica {objects.place} has lost {ref_key(branch, expected)}.",
                    hint="Nothing was changed. The store on this machine is whole.",
                )
        covers: dict[int, int] = {}
        for ref in self._read_refs(objects, branch, list(filter(gathers, numbers)), pace):
            covers[ref.number] = ref.covers
        for _ in self._read_refs(objects, branch, uncovered(numbers, covers), pace):
            pass

    def _read_refs(
        self, objects: Objects, branch: str, numbers: Sequence[int], pace: Pace
    ) -> Iterator[Ref]:
        """What these refs say is known, one after the other."""
        keys = [ref_key(branch, number) for number in numbers]
        for key, data in _get_all(objects, keys, pace):
            ref, inline_at = decode_ref(data, key, self.layout, self.replica)
            self.add(ref, inline_at)
            yield ref

    def _settle(self, place: str) -> None:
        for segment, places in self.places.items():
            at = self.ends.get(segment, 0)
            for each in sorted(places, key=lambda one: (one.start, -one.end)):
                if each.start > at:
                    raise Integrity(
                        f"The replica {place} has lost bytes {at} to {each.start} of segment"
                        f" {segment}.",
                        hint="Nothing was changed. `jupyter rewind replica verify` shows more.",
                    )
                at = max(at, each.end)
            self.ends[segment] = at


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
