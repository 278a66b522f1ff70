"""Whether another notebook has the name now that a history's notebook had before it was moved.

Outside Jupyter a notebook is moved, and a new one gets its old name before anybody looks. The
history must go with the file that it is of. That is believed only where all speaks for it: the file
under the old name is another one of the same disk and tells nothing of what the history ends with,
and the file that the history is of stands under another name, and goes on with it. An editor that
leaves the old file behind as a backup writes the same notebook under its name, and so keeps it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind.model.checkpoint import Checkpoint, FileIdentity
from jupyter_rewind.model.ids import HistoryId
from jupyter_rewind.notebooks.cutting import Cut, cut
from jupyter_rewind.notebooks.entries import FILE, history_of, read_identity
from jupyter_rewind.notebooks.files import identify
from jupyter_rewind.notebooks.likeness import (
    SameFile,
    is_alike,
    is_another,
    is_unlike,
    known_file,
    on_disk_of,
)

if TYPE_CHECKING:
    from jupyter_rewind.notebooks.reading import HistoryReader

_MOST_BYTES = 256 << 20


def find_new_name(
    histories: HistoryReader, history: HistoryId, path: str, identity: FileIdentity | None
) -> str | None:
    """Where in the folder of `path` the file is that `history`, bound there, is of; `identity` is
    of the other file that has the name now. None where nothing says so for sure."""
    head = histories.head_of(history)
    known = on_disk_of(known_file(histories, history), identity)
    if head is None or known is None or identity is None or known.can_be(identity):
        return None
    for other in _files_of_inode(path, known.inode):
        found = identify(Path(other))
        if found is None or not known.can_be(found) or histories.bindings.current(other):
            continue
        state = _read_state(other)
        if state is None:
            continue
        is_same = head.content == state.identity
        if is_same or (known.surely_is(found) and is_alike(histories, head, state, SameFile.SURE)):
            return other
    return None


def is_taken_over(
    histories: HistoryReader, history: HistoryId, head: Checkpoint, path: str
) -> bool:
    """True when what has the name `path` now is another notebook than `head` is a state of."""
    if not os.path.isabs(path) or not is_another(histories, history, identify(Path(path))):
        return False
    state = _read_state(path)
    return state is not None and is_unlike(histories, head, state)


def has_moved_to(histories: HistoryReader, path: str, identity: FileIdentity) -> bool:
    """True when `path`, which has no history, is the file of one that has another name, where that
    file is no more. `identity` may lack the birth."""
    histories.repository.refresh()
    entry = histories.repository.latest(kinds=[FILE], key=identity.key)
    known = read_identity(entry) if entry is not None else None
    if entry is None or known is None or histories.bindings.current(path) is not None:
        return False
    history = history_of(entry)
    place = histories.bindings.place(history)
    if place is None or place.path == path or known_file(histories, history) != known:
        return False
    found = identify(Path(path))
    if found is None or not known.can_be(found):
        return False
    there = identify(Path(place.path)) if place.bound else None
    return there is None or not found.can_be(there)


def _files_of_inode(path: str, inode: int) -> Iterator[str]:
    """The files beside `path` that have this inode and its ending, hidden ones aside."""
    ending = os.path.splitext(path)[1]
    try:
        with os.scandir(os.path.dirname(path)) as entries:
            found = [one for one in entries if one.inode() == inode]
        for one in found:
            is_meant = one.name.endswith(ending) and not one.name.startswith(".")
            if is_meant and one.path != path and one.is_file(follow_symlinks=False):
                yield one.path
    except (OSError, ValueError):
        return


def _read_state(path: str) -> Cut | None:
    try:
        if os.stat(path).st_size > _MOST_BYTES:
            return None
        return cut(Path(path).read_bytes())
    except (OSError, ValueError):
        return None
