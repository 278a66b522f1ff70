"""Entries whose contents were collected in a replica before they were here.

Another machine let them expire, and what says so may have been collected, too. They are no damage,
and nothing here can bring their contents back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from jupyter_rewind.errors import NotFound
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store.chunks import Codec
from jupyter_rewind.store.index import Place
from jupyter_rewind.store.plan import base_of
from jupyter_rewind.store.reach import affected_entries, mark
from jupyter_rewind.store.replica.filling import Hollow
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.segments import Kind


def find_parted(repository: Repository, segments: Collection[str]) -> set[EntryId]:
    """The entries in view that need payloads which stood in these segments alone, and are not
    here. To be asked after a pull, which brings what is in use of them."""
    repository.refresh()
    reach = mark(repository)
    gone = {d for d in _within(repository, segments) if d in reach.live}
    gone = {d for d in gone if not _is_to_be_had(repository, d, segments)}
    _add_what_stands_on(repository, gone, reach.live)
    if not gone:
        return set()
    reach.missing |= gone
    return {name for name, hit in affected_entries(repository, reach).items() if hit & gone}


def segments_of(repository: Repository, names: Collection[EntryId]) -> set[str]:
    """The segments that tell of these entries."""
    found: set[str] = set()
    for name in names:
        with repository.index() as index:
            rows = index.rows(
                "SELECT s.name FROM entry_places p JOIN segments s ON s.num=p.seg WHERE p.id=?",
                [name],
            )
            found.update(segment for (segment,) in rows)
    return found


def _within(repository: Repository, segments: Collection[str]) -> Iterator[Digest]:
    for name in segments:
        with repository.index() as index:
            rows = list(
                index.rows(
                    "SELECT c.digest FROM chunks c JOIN segments s ON s.num=c.seg WHERE s.name=?"
                    " AND c.kind=?",
                    [name, int(Kind.CHUNK)],
                )
            )
        yield from (Digest(digest) for (digest,) in rows)


def _is_to_be_had(repository: Repository, digest: Digest, segments: Collection[str]) -> bool:
    with repository.index() as index:
        places = index.places(digest)
    return any(one.segment not in segments or _is_here(repository, one) for one in places)


def _is_here(repository: Repository, place: Place) -> bool:
    try:
        with Hollow(repository.layout, repository.files, place.segment) as hollow:
            return hollow.payload(place.record) is not None
    except NotFound:
        return False


def _add_what_stands_on(
    repository: Repository, gone: set[Digest], live: Collection[Digest]
) -> None:
    """What is told only as a difference from something that is gone is gone, too."""
    with repository.index() as index:
        rows = list(index.rows("SELECT digest FROM chunks GROUP BY digest HAVING min(codec)=?", [
            int(Codec.DELTA)
        ]))  # fmt: skip
    bases = {Digest(name): base_of(repository, Digest(name)) for (name,) in rows if name in live}
    found = True
    while found:
        more = {digest for digest, base in bases.items() if base in gone and digest not in gone}
        gone |= more
        found = bool(more)
