"""Entries whose contents went from a replica before they were here.

Another machine may have let them expire; or the replica was emptied or put back, and will have them
again. Which of these it was cannot be told, so nothing is done to them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from jupyter_rewind.errors import NotFound
from jupyter_rewind.model.ids import Digest, EntryId
from jupyter_rewind.store.chunks import Codec
from jupyter_rewind.store.framing import Kind
from jupyter_rewind.store.index import Place
from jupyter_rewind.store.plan import base_of
from jupyter_rewind.store.reach import affected_entries, mark
from jupyter_rewind.store.replica.hollow import Hollow
from jupyter_rewind.store.repository import Repository


def find_parted(repository: Repository, segments: Collection[str]) -> set[EntryId]:
    """The entries in view that need payloads which stood in these segments alone, and are not
    here. To be asked after a pull, which brings what is in use of them."""
    repository.refresh()
    reach = mark(repository)
    for error in reach.away.values():
        raise error
    gone = {d for d in _within(repository, segments) if d in reach.live}
    gone = {d for d in gone if not _is_to_be_had(repository, d, segments)}
    _add_what_stands_on(repository, gone, reach.live)
    if not gone:
        return set()
    reach.missing |= gone
    return {name for name, hit in affected_entries(repository, reach).items() if hit & gone}


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
