"""Which checkpoints the store knows to have lost content: told in lists, so that nobody counts on
them. Costs one question to the index where a salvage has never given anything up; it looks for no
new damage, which is `verify`'s work, but for segments whose file is gone.

What is gone with a file may come back with it, so it is only told and not counted as lost."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from jupyter_rewind.errors import Format, Integrity, Newer, NotFound
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.ids import CheckpointId, Digest
from jupyter_rewind.store.repository import Repository
from jupyter_rewind.store.witness import missing_segments, read_witness, without_retired

_SALVAGE = "salvage"


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
    except Newer:
        return True
    except (Format, Integrity, NotFound):
        return False


def find_missing(repository: Repository, checkpoints: Sequence[Checkpoint]) -> set[CheckpointId]:
    """Those whose content stands in segments that have no file, though the index or the witness
    still tells of them. Costs a look at the segments' folder where none is. Raises Storage."""
    with repository.index() as index:
        ends = {name: scanned for name, (_, scanned) in index.segments().items()}
        ends |= index.synced_ends()
    with suppress(Integrity, Newer):
        ends |= read_witness(repository.layout)
    gone = missing_segments(repository.layout, ends)
    if gone:
        gone &= set(without_retired(repository.layout, ends))
    if not gone:
        return set()
    return {one.id for one in checkpoints if not _stands(repository, one.manifest, gone)}


def _stands(repository: Repository, manifest: Digest, gone: set[str]) -> bool:
    """True when the manifest and all that it links to has a copy outside of `gone`."""
    if not _has_copy(repository, [manifest], gone):
        return False
    try:
        return _has_copy(repository, repository.get_node(manifest).links, gone)
    except Newer:
        return True
    except (Format, Integrity, NotFound):
        return False


def _has_copy(repository: Repository, names: Sequence[Digest], gone: set[str]) -> bool:
    with repository.index() as index:
        return all(
            any(place.segment not in gone for place in index.places(name)) for name in set(names)
        )
