"""Where a notebook that appears under a new path comes from.

Outside Jupyter nobody tells us that a file was moved or copied. Three things speak for it: the
file identity (device, inode and time of birth), which a rename keeps; the content, which a copy
keeps; and a link that stands where the notebook was and leads here. File systems give freed inodes
to new files at once, so where the birth is not known, most of what the cells say must agree too: a
shared template makes ids alike, and not the work. Content alone must be more than anybody begins
with, and more still where the file is another one of the same disk. Notebooks with nothing in them
are never kin: all new ones are alike.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from jupyter_rewind.model.checkpoint import FileIdentity
from jupyter_rewind.model.ids import HistoryId
from jupyter_rewind.notebooks.cutting import Cut
from jupyter_rewind.notebooks.entries import (
    CHECKPOINT,
    FILE,
    content_key,
    history_of,
    read_identity,
)
from jupyter_rewind.notebooks.likeness import (
    SameFile,
    is_alike,
    is_another,
    is_no_chance,
    tells_enough,
)
from jupyter_rewind.notebooks.takeover import is_taken_over

if TYPE_CHECKING:
    from jupyter_rewind.notebooks.reading import Exists, HistoryReader


class Kinship(Enum):
    """What the new path is to an older history."""

    NONE = "new"
    MOVED = "moved"
    COPIED = "copied"
    BACK = "back"


_MOST_ALIKE = 32


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
    linked = _find_linked(histories, path, state, identity)
    if linked is not None:
        return linked
    if not state.is_distinct:
        return Kin(Kinship.NONE)
    if identity is not None:
        by_file = histories.repository.latest(kinds=[FILE], key=identity.key)
        known = read_identity(by_file) if by_file is not None else None
        if by_file is not None and known is not None and known.can_be(identity):
            same = SameFile.SURE if known.surely_is(identity) else SameFile.MAYBE
            kin = _judge(histories, path, history_of(by_file), state, exists, same, identity)
            if kin.how is not Kinship.NONE:
                return kin
    found = Kin(Kinship.NONE)
    for history in _say_the_same(histories, path, state):
        kin = _judge(histories, path, history, state, exists, SameFile.NO, identity)
        if kin.how in {Kinship.MOVED, Kinship.BACK}:
            return kin
        if found.how is Kinship.NONE:
            found = kin
    return found


def _say_the_same(histories: HistoryReader, path: str, state: Cut) -> Iterable[HistoryId]:
    """The histories that held this content last, the newest first, and the one that the path had.
    Of a page that thousands have a copy of, no more are looked at: which of them came from which
    nobody could tell."""
    entries = histories.repository.entries(
        kind=CHECKPOINT, key=content_key(state.identity), newest_first=True, limit=4 * _MOST_ALIKE
    )
    found = [*dict.fromkeys(history_of(entry) for entry in entries)][:_MOST_ALIKE]
    own = histories.bindings.last_of_path(path)
    head = histories.head_of(own[0]) if own is not None and own[0] not in found else None
    if head is not None and head.content == state.identity:
        found.append(head.history)
    return found


def _judge(
    histories: HistoryReader,
    path: str,
    history: HistoryId,
    state: Cut,
    exists: Exists,
    same: SameFile,
    identity: FileIdentity | None,
) -> Kin:
    place = histories.bindings.place(history)
    if place is None:
        return Kin(Kinship.NONE)
    is_linked = place.bound and _leads_to(place.path, path)
    is_there = place.bound and not is_linked and exists(place.path)
    if is_there and same is SameFile.NO:
        # Found by its content, it is a copy at the least, if only of an older state.
        is_copy = is_no_chance(state)
        return Kin(Kinship.COPIED, place.path, history) if is_copy else Kin(Kinship.NONE)
    head = histories.head_of(history)
    if head is None:
        return Kin(Kinship.NONE)
    equal = head.content == state.identity
    same_file = same is not SameFile.NO
    # Where the birth is not known, an inode alone may have been given to another file.
    goes_on = equal or (same is SameFile.SURE and is_alike(histories, head, state, same))
    if is_there and goes_on and is_taken_over(histories, history, head, place.path):
        return Kin(Kinship.MOVED, place.path, history)
    is_copy = equal if same_file else is_no_chance(state)
    copied = Kin(Kinship.COPIED, place.path, history) if is_copy else Kin(Kinship.NONE)
    if not place.bound:
        # Deleted, and now the same content is there again: taken out of the trash, checked out.
        back = goes_on and (same_file or place.path == path)
        return Kin(Kinship.BACK, place.path, history) if back else copied
    if is_there:
        return copied
    if same_file:
        is_moved = equal or is_alike(histories, head, state, same)
    else:
        is_other = is_another(histories, history, identity)
        is_moved = equal and (is_linked or tells_enough(state, is_other))
    return Kin(Kinship.MOVED, place.path, history) if is_moved else copied


def _find_linked(
    histories: HistoryReader, path: str, state: Cut, identity: FileIdentity | None
) -> Kin | None:
    """The history of the notebook that had this name before a link took its place and led here,
    as when a project is moved to another disk. On the same disk a link may as well lead to
    another notebook, which must then say what the first one did."""
    for before in histories.links.leading_to(path):
        history = histories.bindings.current(before)
        head = histories.head_of(history) if history is not None else None
        if history is None or head is None:
            continue
        if not is_another(histories, history, identity) or head.content == state.identity:
            return Kin(Kinship.MOVED, before, history)
        if is_alike(histories, head, state, SameFile.MAYBE):
            return Kin(Kinship.MOVED, before, history)
    return None


def _leads_to(before: str, path: str) -> bool:
    """True when what has the name `before` now is the very file `path`, through a link."""
    if before == path or not os.path.isabs(before):
        return False
    try:
        # One look for each, where following links takes one for each folder on the way.
        if not os.path.samefile(before, path):
            return False
    except (OSError, ValueError):
        return False
    return os.path.realpath(before) == path
