"""Segments that lack payloads, found by what stands in them: for a store that does not know.

Which segments may lack payloads stands in the file `partial`. Where that does not read, all of each
segment is compared with its tags. Where it is gone, or says too little, holes are looked for where
a lazy pull makes them: to look for more, each pull would have to read the whole store.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress

from jupyter_rewind.errors import Denied, Integrity, NotFound
from jupyter_rewind.store.durable import Files
from jupyter_rewind.store.framing import Kind
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.partial import note_partial, read_partial, replace_partial
from jupyter_rewind.store.replica import outline
from jupyter_rewind.store.replica.arrival import is_busy
from jupyter_rewind.store.replica.hollow import Hollow
from jupyter_rewind.store.replica.ledger import Ledger
from jupyter_rewind.store.replica.notes import noted_lenders, noted_segments, read_notes
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.repository import Repository

log = logging.getLogger(__name__)
_LARGE = (
    "SELECT c.at, c.stored FROM chunks c JOIN segments s ON s.num=c.seg"
    " WHERE s.name=? AND c.kind=? AND c.stored>=?"
)
_LOST = "SELECT at, stored FROM lost_chunks WHERE segment=?"


def note_hollows(repository: Repository, ledger: Ledger, url: str, pace: Pace) -> list[str]:
    """The segments that lack payloads and were not known to, which are now, with a replica that has
    them as the place to ask: that at `url`, of which `ledger` tells, or another one. Only who pulls
    may do it. Raises Newer, Storage."""
    layout, files = repository.layout, repository.files
    names = {path.name for path in layout.segments.iterdir()}
    # What no replica was ever seen to have is not missing, but damaged.
    names &= ledger.ends.keys() | noted_segments(layout)
    try:
        known = read_partial(layout)
    except Integrity as error:
        log.warning("%s", error)
        found = _search(repository, names, pace)
        replace_partial(layout, files, _lenders(layout, found, ledger, url))
    else:
        repository.refresh()
        found = _glance(repository, names - known.keys(), pace)
        if found:
            note_partial(layout, files, _lenders(layout, found, ledger, url))
    for name in found:
        log.warning("segment %s lacks contents, which was not known any more", name)
        _forgive(repository, name)
    return found


def readdress(layout: Layout, files: Files, replica: str, url: str) -> None:
    """What this very replica has, and was to be asked for under another address, is asked for at
    `url` from now on. Only who pulls may say so. Raises Storage."""
    moved = {
        name: url
        for name, lender in read_partial(layout).items()
        if lender != url and read_notes(layout, lender).replica == replica
    }
    if moved:
        note_partial(layout, files, moved)


def _lenders(layout: Layout, names: Iterable[str], ledger: Ledger, url: str) -> dict[str, str]:
    """Of each segment the replica to ask. Where no other was seen to have it, `url`, so that it is
    told where it was looked for."""
    found = {}
    for name in names:
        with suppress(FileNotFoundError):  # collected this moment
            size = (layout.segments / name).stat().st_size
            is_there = ledger.ends.get(name, 0) >= size
            others = [] if is_there else noted_lenders(layout, name, size)
            found[name] = others[0] if others else url
    return found


def _forgive(repository: Repository, name: str) -> None:
    """What was taken for damage in the segment, and only is not here, is found there again."""
    try:
        with repository.reader(name) as reader:
            scan = reader.scan(0)
    except (NotFound, Denied):
        return
    with repository.index() as index, index.writing():
        number, _ = index.segments().get(name, (-1, 0))
        if number >= 0:
            index.add_batches(number, scan.batches, scan.end)
            index.evidence.forgive_segment(number, name)


def _search(repository: Repository, names: Iterable[str], pace: Pace) -> list[str]:
    """Those that lack a payload, by all of their tags."""
    found = []
    for name in sorted(names):
        pace.check()
        try:
            with Hollow(repository.layout, repository.files, name) as hollow:
                if not is_busy(repository.layout, name) and next(hollow.lacking(), None):
                    found.append(name)
        except (NotFound, Denied):
            continue  # what may not be read now is looked at the next time
    return found


def _glance(repository: Repository, names: Iterable[str], pace: Pace) -> list[str]:
    """Those with a hole where a lazy pull leaves one."""
    found = []
    for name in sorted(names):
        pace.check()
        if is_hollow(repository, name) and not is_busy(repository.layout, name):
            found.append(name)
    return found


def is_hollow(repository: Repository, name: str) -> bool:
    """Whether the segment has a hole where a lazy pull leaves one."""
    with repository.index() as index:
        places = [
            *index.rows(_LARGE, [name, int(Kind.CHUNK), outline.LEAST_BYTES]),
            *index.rows(_LOST, [name]),
        ]
    if not places:
        return False
    try:
        with Hollow(repository.layout, repository.files, name) as hollow:
            return any(hollow.has_hole(at, stored) for at, stored in places)
    except (NotFound, Denied):
        return False
