"""What each notebook's history takes in the store, and how much of that it shares."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_rewind.model.ids import HistoryId
from jupyter_rewind.notebooks.history import Histories


@dataclass(frozen=True, slots=True)
class NotebookSize:
    """One history in the store.

    `own_bytes` lie there for it alone and `shared_bytes` for others, too; `saved_bytes` is what
    its checkpoints would take as separate files.
    """

    history: HistoryId
    path: str
    deleted: bool
    checkpoints: int
    saved_bytes: int
    own_bytes: int
    shared_bytes: int


def notebook_sizes(histories: Histories) -> list[NotebookSize]:
    """The size of every history, the largest first. Reads every node of the store."""
    from jupyter_rewind.store.upkeep import group_sizes

    infos = histories.all()
    found = {info.id: histories.checkpoints(info.id) for info in infos}
    groups = {name: [each.manifest for each in all_] for name, all_ in found.items()}
    sizes = group_sizes(histories.repository, groups)
    rows = [
        NotebookSize(
            history=info.id,
            path=info.path,
            deleted=info.deleted,
            checkpoints=info.checkpoints,
            saved_bytes=sum(each.size_bytes for each in found[info.id]),
            own_bytes=sizes[info.id].unique_bytes,
            shared_bytes=sizes[info.id].shared_bytes,
        )
        for info in infos
    ]
    return sorted(rows, key=lambda row: (-row.own_bytes - row.shared_bytes, row.path))
