"""What still reads of damaged replicas, for who has nothing better.

A pull shows all or nothing. Where a replica has lost a part, and no machine has the store any more,
all else comes this way: each segment as far as it is there, with zeros where bytes are missing.
What one replica lacks comes from the next: none takes a place with zeros that another one could
fill. The store here is damaged in what places are left then, and a salvage of it keeps what reads
and names what is lost. Nothing is believed for that: the tags say what reads, as ever.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_rewind.errors import Integrity, NotFound, RewindError
from jupyter_rewind.store.floor import require_room
from jupyter_rewind.store.replica.arrival import (
    finish_arrival,
    forget_waiting,
    show_arrived,
    waiting_path,
)
from jupyter_rewind.store.replica.check import CheckReport, Fault, read_branches
from jupyter_rewind.store.replica.enduring import EnduringObjects
from jupyter_rewind.store.replica.fetching import Progress
from jupyter_rewind.store.replica.ledger import Ledger, Place, read_bases
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.opening import require_store, unseal
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.pull import AWAITED
from jupyter_rewind.store.replica.refs import pack_epoch, pack_name
from jupyter_rewind.store.replica.sealing import naming_key
from jupyter_rewind.store.replica.turns import taking_turns
from jupyter_rewind.store.repository import Repository

_KEPT_PACKS = 4
_Gaps = list[tuple[int, int]]


@dataclass(slots=True)
class TakenReport:
    """What came of one replica, and what is wrong with that."""

    segments: int = 0
    """Of which it gave something."""
    bytes: int = 0
    missing_bytes: int = 0
    """Of the segments that came, what could be read in none; said of one replica alone."""
    faults: list[Fault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was missed."""
        return not self.faults and not self.missing_bytes


def take_what_reads(
    repository: Repository,
    replicas: Sequence[Objects],
    pace: Pace | None = None,
    progress: Progress | None = None,
) -> list[TakenReport | RewindError]:
    """Of each segment that is not here, what the replicas still hold is in the store, durably;
    what is here already stays as it is. For each replica a report, or why it could not be asked:
    the others are seen to all the same.

    Raises Conflict (a pull is at work), Unavailable or Denied (one does not answer any more), Full,
    Storage: then the store is as it was.
    """
    layout = repository.layout
    with taking_turns(layout, "pull", f"Another pull into the store at {layout.folder}"):
        pace = pace or Pace()
        asked: list[_Replica | RewindError] = []
        for objects in replicas:
            try:
                asked.append(_Replica(repository, objects, pace))
            except RewindError as error:
                asked.append(error)
        sound = [each for each in asked if isinstance(each, _Replica)]
        if sound:
            _Taking(repository, sound, progress).run()
        return [each.report if isinstance(each, _Replica) else each for each in asked]


class _Replica:
    """One replica, as far as it reads."""

    def __init__(self, repository: Repository, objects: Objects, pace: Pace) -> None:
        layout = repository.layout
        identity = require_store(objects, layout)
        self._objects = unseal(EnduringObjects(objects), identity, layout)
        self._pace = pace
        ledger = Ledger(layout, identity.replica, bases=read_bases(self._objects))
        seen = CheckReport()
        read_branches(self._objects, ledger, seen)
        self.report = TakenReport(faults=seen.faults)
        # Of what was collected there, only parts are left.
        holes = {name for name, *_ in ledger.sum_up()}
        self.places = {name: ledger.places[name] for name in ledger.ends.keys() | holes}
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._is_sound: dict[str, bool] = {}
        self._lost: set[str] = set()

    def read(self, place: Place, *, sound: bool) -> bytes:
        """As much of it as there is, in an object that is as it was written, or else in one that
        is not: that may be damaged in one place alone."""
        if place.key not in self._is_sound:
            self._fetch(place.key)
        if self._is_sound[place.key] != sound or place.key in self._lost:
            return b""
        if place.key not in self._kept:
            self._fetch(place.key)
        return self._kept[place.key][place.at : place.at + place.end - place.start]

    def _fetch(self, key: str) -> None:
        is_known = key in self._is_sound
        fault = ""
        self._pace.check()
        try:
            data = self._objects.get(key)
        except (Integrity, NotFound) as error:
            fault, data = error.message.rstrip("."), b""
            self._lost.add(key)
        else:
            name = pack_name(data, naming_key(self._objects), pack_epoch(key))
            if key.startswith("packs/") and name != key:
                fault = "does not hold what was written"
        self._pace.wait(len(data))
        self._is_sound[key] = not fault
        if fault and not is_known:
            self.report.faults.append(Fault(key, fault))
        self._kept[key] = data
        while len(self._kept) > _KEPT_PACKS:
            self._kept.popitem(last=False)


class _Taking:
    """One look at damaged replicas."""

    def __init__(
        self, repository: Repository, replicas: Sequence[_Replica], progress: Progress | None
    ) -> None:
        self._repository = repository
        self._layout, self._files = repository.layout, repository.files
        self._replicas = replicas
        self._progress = progress

    def run(self) -> None:
        """See `take_what_reads`."""
        layout, files = self._layout, self._files
        finish_arrival(layout, files)
        present = {path.name for path in layout.segments.iterdir()}
        wanted = sorted({name for each in self._replicas for name in each.places} - present)
        came = []
        for at, name in enumerate(wanted):
            if self._take(name):
                came.append(name)
            if self._progress is not None:
                self._progress(at + 1, len(wanted))
        show_arrived(layout, files, came)
        forget_waiting(layout, files)
        files.remove(layout.folder / AWAITED)
        self._repository.refresh()

    def _take(self, name: str) -> bool:
        """Whether anything of the segment waits beside its place, durably."""
        holding = [each for each in self._replicas if name in each.places]
        ends = [max(place.end for place in each.places[name]) for each in holding]
        gaps = [(0, max(ends))]
        given = [0] * len(holding)
        path = waiting_path(self._layout, name)
        self._files.remove(path)
        descriptor = self._files.create(path)
        try:
            # What may be damaged fills only what is sound in none of them.
            for sound in (True, False):
                for at, replica in enumerate(holding):
                    for place in sorted(replica.places[name], key=lambda one: one.start):
                        size, gaps = self._fill(descriptor, path, replica, place, gaps, sound)
                        given[at] += size
            self._files.sync_data(descriptor, path)
        finally:
            self._files.close(descriptor)
        for replica, size in zip(holding, given, strict=True):
            replica.report.bytes += size
            replica.report.segments += size > 0
        # One that goes no further than what came is not damaged by that.
        furthest = holding[ends.index(max(ends))]
        furthest.report.missing_bytes += sum(stop - start for start, stop in gaps)
        return any(given)

    def _fill(
        self, descriptor: int, path: Path, replica: _Replica, place: Place, gaps: _Gaps, sound: bool
    ) -> tuple[int, _Gaps]:
        """How many bytes of the gaps the place gave, and the gaps that are left."""
        wanted = [
            (max(start, place.start), min(stop, place.end))
            for start, stop in gaps
            if start < place.end and place.start < stop
        ]
        if not wanted:
            return 0, gaps
        data = replica.read(place, sound=sound)
        size = 0
        for start, stop in wanted:
            part = data[start - place.start : stop - place.start]
            if part:
                require_room(self._layout.folder, len(part))
                self._files.write_at(descriptor, [part], start, path)
                size += len(part)
        return size, _without(gaps, place.start, place.start + len(data))


def _without(gaps: _Gaps, start: int, stop: int) -> _Gaps:
    """The gaps, but for what lies from `start` to `stop`."""
    if start >= stop:
        return gaps
    return [
        left
        for begin, end in gaps
        for left in ((begin, min(end, start)), (max(begin, stop), end))
        if left[0] < left[1]
    ]
