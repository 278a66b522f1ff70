"""Whose notebook stands at a path whose file is another one than its history is of.

Outside Jupyter notebooks are moved, swapped, and laid over others before anybody looks. A history
must go with the file that it is of, which its inode and birth tell for sure. That is believed only
where what both say agrees. An editor that leaves the old file behind as a backup, or writes a new
one and renames it, writes the same notebook under its name, and so keeps its history.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Takeover:
    """What became of a path that has another file: the history that this file has brought along,
    if it has one, and where the file is now that the path's own history is of, if that is known."""

    comes: HistoryId | None
    moved_to: str | None


def find_takeover(
    histories: HistoryReader,
    history: HistoryId,
    head: Checkpoint,
    path: str,
    state: Cut,
    identity: FileIdentity,
) -> Takeover | None:
    """Who has the name of `history`, bound at `path`, where `state` stands in another file. None
    where the history goes on there, as when a program writes a file anew."""
    if not is_another(histories, history, identity):
        return None
    comes = find_owner(histories, path, state, identity)
    moved_to = find_new_name(histories, history, path, identity, comes)
    if comes is None and moved_to is None:
        return None
    is_sure = comes is not None and moved_to is not None
    return Takeover(comes, moved_to) if is_sure or is_unlike(histories, head, state) else None


def find_owner(
    histories: HistoryReader, path: str, state: Cut, identity: FileIdentity
) -> HistoryId | None:
    """The history that is of this very file, which had another name, and goes on with it."""
    entry = histories.repository.latest(kinds=[FILE], key=identity.key)
    known = read_identity(entry) if entry is not None else None
    if entry is None or known is None or not known.surely_is(identity):
        return None
    owner = history_of(entry)
    place, head = histories.bindings.place(owner), histories.head_of(owner)
    if place is None or head is None or (place.bound and place.path == path):
        return None
    if known_file(histories, owner) != known or _is_at(place.path, identity):
        return None
    if head.content == state.identity or is_alike(histories, head, state, SameFile.SURE):
        return owner
    return None


def find_new_name(
    histories: HistoryReader,
    history: HistoryId,
    path: str,
    identity: FileIdentity | None,
    comes: HistoryId | None = None,
) -> str | None:
    """Where in the folder of `path` the file is that `history`, bound there, is of; `identity` is
    of the other file that has the name now, with the history `comes`. None where nothing says so
    for sure."""
    head = histories.head_of(history)
    known = on_disk_of(known_file(histories, history), identity)
    if head is None or known is None or identity is None or known.can_be(identity):
        return None
    for other in _files_of_inode(path, known.inode):
        found = identify(Path(other))
        state = _read_state(other) if found is not None and known.can_be(found) else None
        if found is None or state is None:
            continue
        is_same = head.content == state.identity
        is_sure = known.surely_is(found) and is_alike(histories, head, state, SameFile.SURE)
        if (is_same or is_sure) and _is_free(histories, other, found, state, comes):
            return other
    return None


def is_taken_over(
    histories: HistoryReader, history: HistoryId, head: Checkpoint, path: str
) -> bool:
    """True when what has the name `path` now is another notebook than `head` is a state of."""
    identity = identify(Path(path)) if os.path.isabs(path) else None
    if identity is None or not is_another(histories, history, identity):
        return False
    state = _read_state(path)
    return state is not None and (
        is_unlike(histories, head, state)
        or find_owner(histories, path, state, identity) is not None
    )


def has_moved_to(histories: HistoryReader, path: str, identity: FileIdentity) -> bool:
    """True when `path` is the file of a history that has another name, where that file is no more.
    `identity` may lack the birth."""
    histories.repository.refresh()
    entry = histories.repository.latest(kinds=[FILE], key=identity.key)
    known = read_identity(entry) if entry is not None else None
    if entry is None or known is None:
        return False
    history = history_of(entry)
    if histories.bindings.current(path) == history:
        return False
    place = histories.bindings.place(history)
    if place is None or place.path == path or known_file(histories, history) != known:
        return False
    found = identify(Path(path))
    if found is None or not known.can_be(found):
        return False
    return not (place.bound and _is_at(place.path, found))


def lives_elsewhere(histories: HistoryReader, known: FileIdentity) -> bool:
    """True when the file is there under a name that has another history, which goes on with it."""
    entry = histories.repository.latest(kinds=[FILE], key=known.key)
    place = histories.bindings.place(history_of(entry)) if entry is not None else None
    found = identify(Path(place.path)) if place is not None and place.bound else None
    return found is not None and known.surely_is(found)


def _is_at(path: str, identity: FileIdentity) -> bool:
    found = identify(Path(path)) if os.path.isabs(path) else None
    return found is not None and found.can_be(identity)


def _is_free(
    histories: HistoryReader,
    path: str,
    identity: FileIdentity,
    state: Cut,
    comes: HistoryId | None,
) -> bool:
    """Whether another history may have `path`, where that file is: it has none, or one that goes
    with another file, or one of a file that was overwritten, and says nothing of the same."""
    theirs = histories.bindings.current(path)
    if theirs is None or theirs == comes:
        return True
    if not is_another(histories, theirs, identity):
        return False
    head = histories.head_of(theirs)
    return head is None or is_unlike(histories, head, state)


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
