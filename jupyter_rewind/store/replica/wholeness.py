"""Segments that are to be pushed are whole, or are held back.

A segment that lacks payloads is pushed where it was condemned, or to another replica than the one
it came from. What it lacks is fetched first. Where that is gone, another machine may have collected
the segment: all that any pushed entry needs stands elsewhere then, and comes with a pull. Only
where every entry in view can do without what is gone, the segment is collected, as an upkeep would:
what is in use of it is copied, entries too, into a segment of this machine's own. Else nothing is
touched. No entry is ever given up here; whether one has expired its mark alone says.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from jupyter_rewind.errors import Conflict, RewindError, Unavailable
from jupyter_rewind.store.collect import collect
from jupyter_rewind.store.partial import read_partial
from jupyter_rewind.store.plan import free_segments
from jupyter_rewind.store.replica.bringing import open_replica
from jupyter_rewind.store.replica.fetching import Progress
from jupyter_rewind.store.replica.filling import fill
from jupyter_rewind.store.replica.holding import gone
from jupyter_rewind.store.replica.mounts import require_mounted
from jupyter_rewind.store.replica.objects import Objects
from jupyter_rewind.store.replica.pace import Pace
from jupyter_rewind.store.replica.parting import find_parted
from jupyter_rewind.store.replica.pull import pull
from jupyter_rewind.store.repository import Repository

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wholeness:
    """What became of segments that lacked payloads."""

    changed: bool = False
    """Some were collected: what is to be pushed is to be looked at again."""
    lacking: Mapping[str, RewindError] = field(default_factory=dict)
    """Those that lack some still, and why."""


def make_whole(
    repository: Repository,
    names: Iterable[str],
    objects: Objects,
    url: str,
    pace: Pace,
    enough: Callable[[], bool] = lambda: False,
    *,
    progress: Progress | None = None,
) -> None:
    """None of these segments lacks anything, or it was enough. `objects` are those of the replica
    at `url`.

    Raises Unavailable (a replica that has payloads cannot be reached, or has them no more: then
    nothing was removed), Integrity, Conflict.
    """
    found = seek_whole(repository, names, objects, url, pace, enough, progress=progress)
    for error in found.lacking.values():
        raise error


def seek_whole(
    repository: Repository,
    names: Iterable[str],
    objects: Objects,
    url: str,
    pace: Pace,
    enough: Callable[[], bool] = lambda: False,
    *,
    progress: Progress | None = None,
) -> Wholeness:
    """As `make_whole`; what cannot be brought is told of. Raises Conflict where others are at
    it."""
    wanted: dict[str, list[str]] = {}
    partial = read_partial(repository.layout)
    for name in names:
        if name in partial:
            wanted.setdefault(partial[name], []).append(name)
    lacking: dict[str, RewindError] = {}
    changed = False
    for lender, segments in wanted.items():
        try:
            source = objects if lender == url else open_replica(lender)
            require_mounted(source, repository.layout, lender)
            filled = fill(
                repository.layout, repository.files, source, segments=segments, pace=pace,
                enough=enough, progress=progress,
            )  # fmt: skip
            error = _collect(repository, filled.left, source, lender, pace) if filled.left else None
        except RewindError as failed:
            if isinstance(failed, Conflict) and failed.retryable:
                raise
            error, left = failed, _left(repository, segments)
        else:
            left = _left(repository, filled.left) if error is not None else []
            changed |= bool(filled.left) and error is None
        if error is not None:
            lacking.update(dict.fromkeys(left, error))
    return Wholeness(changed, lacking)


def _left(repository: Repository, segments: Iterable[str]) -> list[str]:
    """Those that may lack payloads still."""
    partial = read_partial(repository.layout)
    return [name for name in segments if name in partial and _is_there(repository, name)]


def _collect(
    repository: Repository, segments: tuple[str, ...], source: Objects, lender: str, pace: Pace
) -> RewindError | None:
    """None where the segments, of which the replica has payloads no more, are collected and no
    entry missed any; else why not, and nothing was removed."""
    pull(repository, source, lender, pace=pace)
    parted = find_parted(repository, segments)
    if parted:
        log.warning("%s entries need contents that %s has no more", len(parted), source.place)
        return gone(repository, source.place, parted)
    if not free_segments(repository).issuperset(_left(repository, segments)):
        return _stays(repository, source, segments[0])
    collect(repository, must=segments)
    for name in segments:
        if _is_there(repository, name):
            return _stays(repository, source, name)
    return None


def _is_there(repository: Repository, name: str) -> bool:
    return (repository.layout.segments / name).exists()


def _stays(repository: Repository, objects: Objects, segment: str) -> Unavailable:
    return Unavailable(
        f"Segment {segment} of the store at {repository.folder} lacks contents that"
        f" {objects.place} has no more. No entry needs them, but it could not be collected yet.",
        hint="All that is in use is here, and the next try may do it.",
        retryable=True,
    )
