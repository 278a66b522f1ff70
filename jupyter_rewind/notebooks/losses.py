"""Which checkpoints the store knows to have lost content: told in lists, so that nobody counts on
them. Costs one question to the index where a salvage has never given anything up; it looks for no
new damage, which is `verify`'s work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jupyter_rewind.errors import Format, Integrity, Newer, NotFound
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.store.repository import Repository

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
