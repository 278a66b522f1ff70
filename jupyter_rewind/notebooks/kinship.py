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
from jupyter_rewind.notebooks.entries import CHECKPOINT, FILE, content_key, history_of

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
    if not state.is_distinct:
        return Kin(Kinship.NONE)
    if identity is not None:
        by_file = histories.repository.latest(kinds=[FILE], key=identity.key)
        if by_file is not None:
            kin = _judge(histories, path, history_of(by_file), state, exists, same_file=True)
            if kin.how is not Kinship.NONE:
                return kin
    found = Kin(Kinship.NONE)
    seen: set[HistoryId] = set()
    key = content_key(state.identity)
    for entry in histories.repository.entries(kind=CHECKPOINT, key=key, newest_first=True):
        history = history_of(entry)
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
    head = histories.head_of(history)
    if place is None or head is None:
        return Kin(Kinship.NONE)
    equal = head.content == state.identity
    # Found by its content, it is a copy at the least, if only of an older state.
    copied = Kin(Kinship.NONE if same_file and not equal else Kinship.COPIED, place.path, history)
    if not place.bound:
        # Deleted, and now the same content is there again: taken out of the trash, checked out.
        back = equal and (same_file or place.path == path)
        return Kin(Kinship.BACK, place.path, history) if back else copied
    if exists(place.path):
        return copied
    if equal or (same_file and _alike(histories, head, state)):
        return Kin(Kinship.MOVED, place.path, history)
    return copied


def _alike(histories: HistoryReader, head: Checkpoint, state: Cut) -> bool:
    """True when half of the cells of the smaller of the two stand in both, empty ones aside."""
    try:
        before = histories.manifest(head).cells
    except RewindError:
        return False
    empty = {cell.identity for cell in state.cells if cell.facts.is_blank}
    said = {cell.identity for cell in before} - empty
    ids = {cell.id for cell in before if cell.id is not None}
    mine = [cell for cell in state.cells if cell.identity not in empty]
    common = sum(cell.identity in said or cell.id in ids for cell in mine)
    return common > 0 and 2 * common >= min(len(before), len(mine))
