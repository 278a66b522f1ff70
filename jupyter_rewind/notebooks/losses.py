"""Which checkpoints the store knows to have lost content: told in lists, so that nobody counts on
them. Costs one question to the index where a salvage has never given anything up; it looks for no
new damage, which is `verify`'s work, but for segments whose file is gone or cut short.

What is gone with a file may come back with it, so it is only told (`Listing`) and not counted as
lost by refs and by retention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from jupyter_rewind.errors import Denied, Format, Integrity, Newer, NotFound
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.ids import CheckpointId, Digest
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.segments import SHORTENED
from jupyter_rewind.store.witness import read_witness, segment_sizes, without_retired

_SALVAGE = "salvage"


@dataclass(frozen=True, slots=True)
class Listing:
    """Checkpoints as people and programs are told of them: none that cannot be read is called
    `readable`. Those in `missing` may come back with the files of the store that are gone, or may
    not be read. `incomplete` says why others may not be told of at all."""

    checkpoints: tuple[Checkpoint, ...]
    missing: frozenset[CheckpointId]
    incomplete: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[CheckpointId, ...]:
        """Those that cannot be read, for whatever reason."""
        return tuple(one.id for one in self.checkpoints if not one.readable)


def tell_losses(repository: Repository, checkpoints: Sequence[Checkpoint]) -> Listing:
    """What is to be told of these checkpoints, of which known losses are marked. Raises Storage."""
    left = _find_left(repository)
    missing = _find_missing(repository, checkpoints, left)
    told = (
        replace(one, readable=False) if one.id in missing and one.readable else one
        for one in checkpoints
    )
    return Listing(tuple(told), frozenset(missing), tell_incomplete(repository, left))


def tell_incomplete(
    repository: Repository, left: Mapping[str, int] | None = None
) -> tuple[str, ...]:
    """Why any list of checkpoints or histories may be shorter than what was kept, and what opens
    the rest; nothing where all could be read. Raises Storage."""
    shut = repository.shut()
    told = [
        f"Checkpoints may be missing here. Of segment {name}: {why}." for name, why in shut.items()
    ]
    left = _find_left(repository) if left is None else left
    unread = _find_unread(repository, left) - shut.keys()
    if unread:
        what = "a file" if len(unread) == 1 else f"{len(unread)} files"
        told.append(
            f"Checkpoints may be missing here: {what} of the store cannot be read to the end, or is"
            " gone; `jupyter rewind verify` tells more."
        )
    return tuple(told)


def _find_unread(repository: Repository, left: Mapping[str, int]) -> set[str]:
    """The segments that held what no index has read: of what one had read, it tells still."""
    found = {name for name, gap in repository.gaps() if gap.what != SHORTENED}
    doubtful = left.keys() | _find_behind(repository)
    if not doubtful:
        return found
    with repository.index() as index:
        told = {name for _, name in index.evidence.entries()}
        told |= {name for _, name, *_ in index.evidence.chunks()}
    return found | (doubtful - told)


def _find_behind(repository: Repository) -> set[str]:
    """The segments of which less reads than was on the disk once, though their files are there."""
    ends: dict[str, int] = {}
    with suppress(Integrity, Newer):
        ends = read_witness(repository.layout)

    def behind() -> set[str]:
        with repository.index() as index:
            scanned = index.segments()
        return {name for name, (_, end) in scanned.items() if end < ends.get(name, 0)}

    if behind():
        repository.refresh()  # others may have stored more in the meantime
    return behind()


def mark_losses(repository: Repository, checkpoints: Sequence[Checkpoint]) -> list[Checkpoint]:
    """The same checkpoints, those with known losses not `readable`. What was stored again since
    is lost no more."""
    if not repository.entries(kind=_SALVAGE, key=_SALVAGE, limit=1):
        return list(checkpoints)
    from jupyter_rewind.store.verify import known_losses

    given_up = known_losses(repository)
    gone = {digest for digest in given_up if not repository.has(digest)}
    return [
        one if _is_whole(repository, one.manifest, given_up, gone) else replace(one, readable=False)
        for one in checkpoints
    ]


def _is_whole(
    repository: Repository, manifest: Digest, given_up: set[Digest], gone: set[Digest]
) -> bool:
    if manifest in gone:
        return False
    if manifest not in given_up and not gone:
        return True
    try:
        return gone.isdisjoint(repository.get_node(manifest).links)
    except (Newer, Denied):
        return True  # what may not be read is there
    except (Format, Integrity, NotFound):
        return False


def _find_missing(
    repository: Repository, checkpoints: Sequence[Checkpoint], left: Mapping[str, int]
) -> set[CheckpointId]:
    """Those whose content stands where the segments' files end no more, have no file, or may not be
    read, though the index or the witness still tells of it. Raises Storage."""
    return {one.id for one in checkpoints if left and not _stands(repository, one.manifest, left)}


def is_unharmed(repository: Repository) -> bool:
    """True where no checkpoint at all can be lost, or be missing in a list. Raises Storage."""
    has_given_up = bool(repository.entries(kind=_SALVAGE, key=_SALVAGE, limit=1))
    left = _find_left(repository)
    return not (has_given_up or left or _find_unread(repository, left))


def _find_left(repository: Repository) -> dict[str, int]:
    """The bytes that are left of each segment that has fewer than are known of; 0: no file, or none
    that may be read."""
    layout = repository.layout
    with repository.index() as index:
        ends = {name: scanned for name, (_, scanned) in index.segments().items()}
        synced = index.synced_ends()
    with suppress(Integrity, Newer):
        synced |= read_witness(layout)
    for name, end in synced.items():
        ends[name] = max(end, ends.get(name, 0))
    sizes = segment_sizes(layout)
    short = {name: sizes.get(name, 0) for name, end in ends.items() if sizes.get(name, 0) < end}
    shut = dict.fromkeys(repository.shut(), 0)
    if not short:
        return shut
    kept = without_retired(layout, ends)
    return {name: size for name, size in short.items() if name in kept} | shut


def _stands(repository: Repository, manifest: Digest, left: Mapping[str, int]) -> bool:
    """True when the manifest and all that it links to has a copy that is there."""
    if not _has_copy(repository, [manifest], left):
        return False
    try:
        return _has_copy(repository, repository.get_node(manifest).links, left)
    except Newer:
        return True
    except (Format, Integrity, NotFound, Denied):
        return False


def _has_copy(repository: Repository, names: Sequence[Digest], left: Mapping[str, int]) -> bool:
    with repository.index() as index:
        return all(
            any(
                place.segment not in left or place.record.end <= left[place.segment]
                for place in index.places(name)
            )
            for name in set(names)
        )
