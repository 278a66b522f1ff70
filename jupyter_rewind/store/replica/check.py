"""Verify: whether a replica still holds what was pushed to it. Reads, and changes nothing.

The refs are always read and their tags checked; that each pack is there, at its size, is asked in
a list. Whether the bytes are those that were written only a reading of all of them tells; a reading
of some, drawn by chance each time, tells it in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jupyter_rewind import clock
from jupyter_rewind.errors import Format, Integrity, Newer, NotFound
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.replica.enduring import UNREADABLE, EnduringObjects
from jupyter_rewind.store.replica.fetching import Fetcher, Progress
from jupyter_rewind.store.replica.ledger import Ledger, read_bases
from jupyter_rewind.store.replica.mounts import require_mounted
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.opening import require_store, unseal
from jupyter_rewind.store.replica.outline import pack_key
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.refs import (
    LOG,
    branch_prefix,
    decode_ref,
    parse_ref_key,
    ref_key,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the replica that is not as it was written."""

    key: str
    what: str


@dataclass(slots=True)
class CheckReport:
    """What a replica holds, and what is wrong with it."""

    refs: int = 0
    packs: int = 0
    segments: int = 0
    bytes: int = 0
    unused_bytes: int = 0
    """In packs that no ref names, and refs that a base stands for: left by a push or a collecting
    that was stopped, or is at work."""
    read_share: float = 0.0
    """How much of the contents was read, of 1."""
    faults: list[Fault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.faults


def check(
    layout: Layout,
    files: Files,
    objects: Objects,
    *,
    url: str = "",
    read_share: float = 0.0,
    pace: Pace | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Of the replica at `url`, if it is known. Raises NotFound (no replica), Conflict (another
    store's), Storage (its disk is away, too), Newer."""
    require_mounted(objects, layout, url)
    identity = require_store(objects, layout)
    objects = unseal(EnduringObjects(objects), identity, layout)
    while True:
        ledger = Ledger(layout, identity.replica, bases=read_bases(objects))
        report = _check(layout, files, objects, ledger, read_share, pace or Pace(), progress)
        if report.ok or not ledger.is_overtaken(objects):
            return report
        # What was missed was collected meanwhile.


def _check(
    layout: Layout,
    files: Files,
    objects: Objects,
    ledger: Ledger,
    read_share: float,
    pace: Pace,
    progress: Progress | None,
) -> CheckReport:
    report = CheckReport(read_share=read_share)
    # The refs first, then the packs: a push at work adds the other way round.
    read_branches(objects, ledger, report)
    _check_packs(objects, ledger, report)
    whole = _check_covers(ledger, report)
    fetcher = Fetcher(layout, files, objects, ledger, pace, progress)
    if read_share >= 1:
        _check_bytes(fetcher, whole, report)
    elif read_share > 0:
        for key, error in fetcher.try_some(_draw(objects, ledger, read_share)):
            report.faults.append(Fault(key, error.message.rstrip(".")))
    return report


def read_branches(objects: Objects, ledger: Ledger, report: CheckReport) -> None:
    """The ledger knows what the refs say that read; the others are faults."""
    for branch in [LOG, *sorted({*objects.folders("refs/"), *ledger.bases} - {LOG})]:
        _check_branch(objects, branch, ledger, report)
    known = {fault.key for fault in report.faults}
    needed = {each for needs in ledger.needs.values() for each in needs.items()}
    for branch, number in sorted(needed):
        key = ref_key(branch, number)
        if ledger.numbers.get(branch, 0) < number and key not in known:
            report.faults.append(Fault(key, "missing; others build on it"))


def _check_branch(objects: Objects, branch: str, ledger: Ledger, report: CheckReport) -> None:
    base = ledger.bases.get(branch, 0)
    last = max(base - 1, 0)
    for each in objects.find(branch_prefix(branch)):
        parsed = parse_ref_key(each.key)
        if parsed is None:
            continue
        if parsed[1] < base:
            report.unused_bytes += each.size
            continue
        report.refs += branch != LOG
        for number in range(last + 1, parsed[1]):
            report.faults.append(Fault(ref_key(branch, number), "missing"))
        last = parsed[1]
        _read_ref(objects, each.key, ledger, report)
    if last < base:
        report.faults.append(Fault(ref_key(branch, base), "missing"))


def _read_ref(objects: Objects, key: str, ledger: Ledger, report: CheckReport) -> None:
    try:
        ref, inline_at = decode_ref(objects.get(key), key, ledger.layout, ledger.replica)
    except Newer:
        raise
    except NotFound:
        report.faults.append(Fault(key, "listed, and cannot be read"))
    except (Integrity, Format) as error:
        told = "damaged, or not written with this store's key"
        if error.code == UNREADABLE:
            told = error.message.rstrip(".")
        report.faults.append(Fault(key, told))
    else:
        ledger.add(ref, inline_at)


def _check_packs(objects: Objects, ledger: Ledger, report: CheckReport) -> None:
    wanted: dict[str, int] = {}
    for places in ledger.places.values():
        for place in places:
            if place.key.startswith("packs/"):
                end = place.at + place.end - place.start
                wanted[place.key] = max(end, wanted.get(place.key, 0))
    found = {each.key: each.size for each in objects.find("packs/")}
    report.packs = len(found)
    report.unused_bytes += sum(size for key, size in found.items() if key not in wanted)
    # A pack without its outline, or with one that does not read, is fetched whole: no fault.
    for each in objects.find("outlines/"):
        report.unused_bytes += each.size if pack_key(each.key) not in wanted else 0
    for key, size in sorted(wanted.items()):
        if key not in found:
            report.faults.append(Fault(key, "missing"))
        elif found[key] < size:
            report.faults.append(Fault(key, f"has {found[key]} bytes instead of {size}"))


def _check_covers(ledger: Ledger, report: CheckReport) -> list[str]:
    """The segments without a hole."""
    for segment, start, end in sorted(ledger.sum_up()):
        report.faults.append(Fault(f"segment {segment}", f"bytes {start} to {end} are missing"))
    report.segments = len(ledger.places)
    report.bytes = sum(ledger.ends.values())
    return sorted(ledger.ends)


def _check_bytes(fetcher: Fetcher, segments: list[str], report: CheckReport) -> None:
    for segment, error in fetcher.try_all(segments):
        what = error.message.rstrip(".") if error else "does not hold what was written"
        report.faults.append(Fault(f"segment {segment}", what))


def _draw(objects: Objects, ledger: Ledger, share: float) -> dict[str, int]:
    """Packs, by chance, that hold at least this share of what all of them hold, with their sizes;
    what lies in refs is read and checked in any case."""
    named = {place.key for places in ledger.places.values() for place in places}
    sizes = {each.key: each.size for each in objects.find("packs/") if each.key in named}
    wanted, drawn = share * sum(sizes.values()), dict[str, int]()
    for key in sorted(sizes, key=lambda _: clock.token(8)):
        if sum(drawn.values()) >= wanted:
            break
        drawn[key] = sizes[key]
    return drawn
