"""Damaged places of which nobody can tell any more what stood there.

An index that had read a segment before it was damaged still tells of its entries, and a salvage
names what was lost. Where the index is younger than the damage, as after a reboot, a commit that
does not read takes its entries with it in silence: then at least the place is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jupyter_rewind.store.index import Index
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.segments import SHORTENED, Gap
from jupyter_rewind.store.verify import is_overwritten


@dataclass(frozen=True, slots=True)
class Untold:
    """So many bytes of a segment no longer read, and no index had read them before."""

    segment: str
    size_bytes: int


def find_untold(
    repository: Repository, names: Iterable[str], gone: Mapping[str, int], ends: Mapping[str, int]
) -> tuple[Untold, ...]:
    """Those places in the segments `names`, and those of `gone`, whose file is missing. `ends` tell
    how far each was on the disk once. To be asked after a verify."""
    found = {name: _unread(repository, name, ends.get(name, 0)) for name in names}
    with repository.index() as index:
        remembered = _remembered(index)
    found |= {name: end for name, end in gone.items() if name not in remembered}
    return tuple(Untold(name, size) for name, size in sorted(found.items()) if size)


def _unread(repository: Repository, name: str, end: int) -> int:
    """How many bytes of the segment neither read nor were ever read by this index."""
    with repository.index() as index:
        scanned = index.segments().get(name, (0, 0))[1]
        gaps = [gap for segment, gap in index.gaps() if segment == name]
    # One that has become shorter since had been read up to its old end.
    known = max((_end(gap) for gap in gaps if gap.what == SHORTENED), default=0)
    inside = sum(gap.length for gap in gaps if gap.what != SHORTENED and gap.offset >= known)
    behind = max(0, end - max(scanned, known))
    if not (inside or behind or scanned or known) and is_overwritten(repository, name):
        return (repository.layout.segments / name).stat().st_size
    return inside + behind


def _end(gap: Gap) -> int:
    return gap.offset + gap.length


def _remembered(index: Index) -> set[str]:
    """Segments of whose lost content the index still tells."""
    entries = {name for _, name in index.evidence.entries()}
    return entries | {name for _, name, _, _ in index.evidence.chunks()}
