"""Segments that are to be pushed are whole, or given up.

A segment that lacks payloads is pushed where it was condemned, or to another replica than the one
it came from. What it lacks is fetched first. Where that is gone, another machine has collected the
segment: all that any pushed entry needs stands elsewhere then, and comes with a pull. What this
machine needs of the segment is here, for nothing was built on what was not; it is copied into a
segment of this machine's own, and the old one goes. With it go the entries that the other machine
let expire and whose contents were never here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from jupyter_rewind.errors import Unavailable
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.partial import read_partial
from jupyter_rewind.store.replica.bringing import open_replica
from jupyter_rewind.store.replica.fetching import Progress
from jupyter_rewind.store.replica.filling import fill
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.parting import find_parted, segments_of
from jupyter_rewind.store.replica.pull import pull
from jupyter_rewind.store.repository import Repository

log = logging.getLogger(__name__)


def make_whole(
    repository: Repository,
    names: Iterable[str],
    objects: Objects,
    url: str,
    pace: Pace,
    enough: Callable[[], bool] = lambda: False,
    *,
    progress: Progress | None = None,
) -> bool:
    """True when none of these segments lacks anything, or it was enough; False when some were given
    up, and what is to be pushed is to be looked at again. `objects` are those of the replica at
    `url`.

    Raises Unavailable (a replica that has payloads cannot be reached), Integrity, Conflict.
    """
    wanted: dict[str, list[str]] = {}
    partial = read_partial(repository.layout)
    for name in names:
        if name in partial:
            wanted.setdefault(partial[name], []).append(name)
    gone = False
    for lender, segments in wanted.items():
        source = objects if lender == url else open_replica(lender)
        filled = fill(
            repository.layout, repository.files, source, segments=segments, pace=pace,
            enough=enough, progress=progress,
        )  # fmt: skip
        if not filled.left:
            continue
        log.info("%s segments were collected at %s", len(filled.left), source.place)
        pull(repository, source, lender, lazy=True, pace=pace)
        parted = find_parted(repository, filled.left)
        if parted:
            log.warning(
                "%s entries expired on another machine before their contents were here", len(parted)
            )
        # Where such an entry stands beside others, it would be told of with its contents missing.
        must = {*filled.left, *segments_of(repository, parted)}
        try:
            collect(repository, must=must, without=parted)
        except Unavailable as error:
            raise _stays(repository, source, filled.left[0]) from error
        for name in must:
            if (repository.layout.segments / name).exists():
                raise _stays(repository, source, name)
        gone = True
    return not gone


def _stays(repository: Repository, objects: Objects, segment: str) -> Unavailable:
    return Unavailable(
        f"Segment {segment} was collected at {objects.place} before all of it was here, and what is"
        " in use of it could not be kept yet.",
        hint="What is here is whole, and the next try may do it. If it never does, delete"
        f" {repository.layout.partial} and run `jupyter rewind salvage`: that names what is lost.",
        retryable=True,
    )
