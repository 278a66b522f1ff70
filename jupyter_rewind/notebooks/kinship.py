"""Where a notebook that appears under a new path comes from.

Outside Jupyter nobody tells us that a file was moved or copied. Two things speak for it: the file
identity (device and inode), which a rename keeps, and the content, which a copy keeps. An inode
alone proves little, for file systems give freed ones to new files at once: some of the content
must agree too. Notebooks with nothing in them are never kin: all new ones are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from jupyter_rewind.errors import RewindError
from jupyter_rewind.model.checkpoint import Checkpoint, FileIdentity
from jupyter_rewind.model.ids import HistoryId
from jupyter_rewind.notebooks.cutting import Cut
from jupyter_rewind.notebooks.entries import CHECKPOINT, FILE, content_key, history_key

if TYPE_CHECKING:
    from jupyter_rewind.notebooks.reading import Exists, HistoryReader


class Kinship(Enum):
    """What the new path is to an older history."""

    NONE = "new"
    MOVED = "moved"
    COPIED = "copied"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Kin:
    """A history that the new path belongs to or came from."""

    how: Kinship
    path: str = ""
    history: HistoryId | None = None


def find_kin(
    histories: HistoryReader,
    path: str,
    state: Cut,
    identity: FileIdentity | None,
    exists: Exists,
) -> Kin:
    """The kin of `state`, which appeared at `path`; `exists` tells whether a file is there."""
    if identity is not None:
        by_file = histories.repository.latest(kinds=[FILE], key=identity.key)
        if by_file is not None:
            kin = _judge(histories, path, _history(by_file.keys), state, exists, same_file=True)
            if kin.how is not Kinship.NONE:
                return kin
    if not state.is_distinct:
        return Kin(Kinship.NONE)
    found = Kin(Kinship.NONE)
    seen: set[HistoryId] = set()
    key = content_key(state.identity)
    for entry in histories.repository.entries(kind=CHECKPOINT, key=key, newest_first=True):
        history = _history(entry.keys)
        if history in seen:
            continue
        seen.add(history)
        kin = _judge(histories, path, history, state, exists, same_file=False)
        if kin.how in {Kinship.MOVED, Kinship.BACK}:
            return kin
        if found.how is Kinship.NONE:
            found = kin
    return found


def read_identity(keys: tuple[str, ...]) -> FileIdentity | None:
    """The file identity that an entry's keys name."""
    for key in keys:
        if key.startswith("ino:"):
            _, device, inode = key.split(":")
            return FileIdentity(int(device, 16), int(inode, 16))
    return None


def _judge(
    histories: HistoryReader,
    path: str,
    history: HistoryId,
    state: Cut,
    exists: Exists,
    *,
    same_file: bool,
) -> Kin:
    place = histories.bindings.place(history)
    heads = histories.repository.entries(
        kind=CHECKPOINT, key=history_key(history), newest_first=True, limit=1
    )
    if place is None or not heads:
        return Kin(Kinship.NONE)
    equal = content_key(state.identity) in heads[0].keys
    if not place.bound:
        # Deleted, and now the same content is there again: taken out of the trash, checked out.
        back = equal and state.is_distinct and (same_file or place.path == path)
        return Kin(Kinship.BACK, place.path, history) if back else Kin(Kinship.NONE)
    if exists(place.path):
        return Kin(Kinship.COPIED, place.path, history) if equal else Kin(Kinship.NONE)
    if equal or (same_file and _alike(histories, history, state)):
        return Kin(Kinship.MOVED, place.path, history)
    return Kin(Kinship.NONE)


def _alike(histories: HistoryReader, history: HistoryId, state: Cut) -> bool:
    """True when half of the cells of the smaller of the two stand in both."""
    try:
        head: Checkpoint = histories.checkpoints(history, newest_first=True)[0]
        before = {cell.identity for cell in histories.manifest(head).cells}
        ids = {cell.id for cell in histories.manifest(head).cells if cell.id}
    except (RewindError, IndexError):
        return False
    common = sum(cell.identity in before or cell.id in ids for cell in state.cells)
    return common > 0 and 2 * common >= min(len(before), len(state.cells))


def _history(keys: tuple[str, ...]) -> HistoryId:
    return HistoryId(next(key[2:] for key in keys if key.startswith("h:")))
