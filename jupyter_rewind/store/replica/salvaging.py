"""What still reads of a damaged replica, for who has nothing better.

A pull shows all or nothing. Where a replica has lost a part, and no machine has the store any more,
all else comes this way: each segment as far as it is there, with zeros where bytes are missing. The
store here is damaged in the same places then, and a salvage of it keeps what reads and names what
is lost. Nothing is believed for that: the tags say what reads, as ever.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_rewind.errors import Integrity, NotFound
from jupyter_rewind.store.floor import require_room
from jupyter_rewind.store.replica.arrival import (
    finish_arrival,
    forget_waiting,
    show_arrived,
    waiting_path,
)
from jupyter_rewind.store.replica.check import CheckReport, Fault, read_branches
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


@dataclass(slots=True)
class TakenReport:
    """What came of a damaged replica, and what is wrong with that."""

    segments: int = 0
    bytes: int = 0
    missing_bytes: int = 0
    """Of the segments that came, what could not be read there."""
    faults: list[Fault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was missed."""
        return not self.faults and not self.missing_bytes


def take_what_reads(
    repository: Repository,
    objects: Objects,
    pace: Pace | None = None,
    progress: Progress | None = None,
) -> TakenReport:
    """Of each segment that is not here, what the replica still holds is in the store, durably;
    what is here already stays as it is.

    Raises Conflict (another store's replica, a pull is at work), NotFound (no replica), Integrity
    (its word of itself is gone), Full, Storage: then the store is as it was.
    """
    layout = repository.layout
    with taking_turns(layout, "pull", f"Another pull into the store at {layout.folder}"):
        return _Taking(repository, objects, pace or Pace(), progress).run()


class _Taking:
    """One look at a damaged replica."""

    def __init__(
        self, repository: Repository, objects: Objects, pace: Pace, progress: Progress | None
    ) -> None:
        self._repository = repository
        self._layout, self._files = repository.layout, repository.files
        identity = require_store(objects, self._layout)
        self._objects = unseal(objects, identity, self._layout)
        self._pace = pace
        self._progress = progress
        self._ledger = Ledger(self._layout, identity.replica, bases=read_bases(self._objects))
        self._packs: OrderedDict[str, bytes] = OrderedDict()
        self._report = TakenReport()

    def run(self) -> TakenReport:
        layout, files, report = self._layout, self._files, self._report
        seen = CheckReport()
        read_branches(self._objects, self._ledger, seen)
        report.faults = seen.faults
        finish_arrival(layout, files)
        present = {path.name for path in layout.segments.iterdir()}
        # Of what was collected there, only parts are left.
        holes = {name for name, *_ in self._ledger.sum_up()}
        wanted = sorted((self._ledger.ends.keys() | holes) - present)
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
        report.segments = len(came)
        return report

    def _take(self, name: str) -> bool:
        """Whether anything of the segment waits beside its place, durably."""
        path = waiting_path(self._layout, name)
        self._files.remove(path)
        descriptor = self._files.create(path)
        begin = end = size = 0
        try:
            places = self._ledger.places[name]
            # Some bytes are there twice; the second ones count where the first do not read.
            for place in sorted(places, key=lambda one: (one.start, -one.end)):
                if begin <= place.start and place.end <= end:
                    continue
                data = self._read(place)
                self._write(descriptor, data, place.start, path)
                stop = place.start + len(data)
                size += max(stop - max(place.start, end), 0)
                begin, end = (begin, max(stop, end)) if place.start <= end else (place.start, stop)
            self._files.sync_data(descriptor, path)
        finally:
            self._files.close(descriptor)
        self._report.bytes += size
        self._report.missing_bytes += max(place.end for place in places) - size
        return size > 0

    def _write(self, descriptor: int, data: bytes, at: int, path: Path) -> None:
        require_room(self._layout.folder, len(data))
        if data:
            self._files.write_at(descriptor, [data], at, path)

    def _read(self, place: Place) -> bytes:
        """As much of it as there is; a pack may be damaged in one place alone."""
        if place.key not in self._packs:
            self._pace.check()
            try:
                data = self._objects.get(place.key)
            except (Integrity, NotFound) as error:
                self._report.faults.append(Fault(place.key, error.message.rstrip(".")))
                data = b""
            else:
                name = pack_name(data, naming_key(self._objects), pack_epoch(place.key))
                if place.key.startswith("packs/") and name != place.key:
                    self._report.faults.append(Fault(place.key, "does not hold what was written"))
            self._pace.wait(len(data))
            self._packs[place.key] = data
            while len(self._packs) > _KEPT_PACKS:
                self._packs.popitem(last=False)
        return self._packs[place.key][place.at : place.at + place.end - place.start]
