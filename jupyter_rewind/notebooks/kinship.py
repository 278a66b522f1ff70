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

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from jupyter_rewind.errors import RewindError
from jupyter_rewind.model.checkpoint import Checkpoint, FileIdentity
from jupyter_rewind.model.ids import HistoryId
from jupyter_rewind.model.notebook import CellRow
from jupyter_rewind.notebooks.cutting import Cut
from jupyter_rewind.notebooks.entries import (
    CHECKPOINT,
    FILE,
    content_key,
    history_key,
    history_of,
    read_identity,
)

if TYPE_CHECKING:
    from jupyter_rewind.notebooks.reading import Exists, HistoryReader


class Kinship(Enum):
    """What the new path is to an older history."""

    NONE = "new"
    MOVED = "moved"
    COPIED = "copied"
    BACK = "back"


# Letters of source that no two notebooks say alike by chance: one cell of usual imports has fewer.
_TELLING = 100
# The same where the file is known to be another one, as after a checkout of another branch.
_TELLING_OF_ANOTHER_FILE = 400
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
            same = _SameFile.SURE if known.surely_is(identity) else _SameFile.MAYBE
            kin = _judge(histories, path, history_of(by_file), state, exists, same, identity)
            if kin.how is not Kinship.NONE:
                return kin
    found = Kin(Kinship.NONE)
    for history in _say_the_same(histories, path, state):
        kin = _judge(histories, path, history, state, exists, _SameFile.NO, identity)
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


class _SameFile(Enum):
    """Whether an older history's file is this very one."""

    NO = "no"
    MAYBE = "the inode is"
    SURE = "inode and birth are"


def _judge(
    histories: HistoryReader,
    path: str,
    history: HistoryId,
    state: Cut,
    exists: Exists,
    same: _SameFile,
    identity: FileIdentity | None,
) -> Kin:
    place = histories.bindings.place(history)
    if place is None:
        return Kin(Kinship.NONE)
    is_linked = place.bound and _leads_to(place.path, path)
    is_there = place.bound and not is_linked and exists(place.path)
    if is_there and same is _SameFile.NO:
        # Found by its content, it is a copy at the least, if only of an older state.
        return Kin(Kinship.COPIED, place.path, history)
    head = histories.head_of(history)
    if head is None:
        return Kin(Kinship.NONE)
    equal = head.content == state.identity
    same_file = same is not _SameFile.NO
    copied = Kin(Kinship.NONE if same_file and not equal else Kinship.COPIED, place.path, history)
    if not place.bound:
        # Deleted, and now the same content is there again: taken out of the trash, checked out.
        back = equal and (same_file or place.path == path)
        return Kin(Kinship.BACK, place.path, history) if back else copied
    if is_there:
        return copied
    if same_file:
        is_moved = equal or _alike(histories, head, state, same)
    else:
        is_another = _is_another(histories, history, identity)
        is_moved = equal and (is_linked or _tells_enough(state, is_another))
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
        if not _is_another(histories, history, identity) or head.content == state.identity:
            return Kin(Kinship.MOVED, before, history)
        if _alike(histories, head, state, _SameFile.MAYBE):
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


def _is_another(
    histories: HistoryReader, history: HistoryId, identity: FileIdentity | None
) -> bool:
    """True when the history's file and this one are of one disk and not the same."""
    last = histories.repository.latest(kinds=[FILE], key=history_key(history))
    known = read_identity(last) if last is not None else None
    if known is None or identity is None:
        return False
    if known.disk and identity.disk:
        # Numbers of devices are given anew at each start.
        is_one_disk = known.disk == identity.disk
        known = replace(known, device=identity.device)
    else:
        is_one_disk = known.device == identity.device
    return is_one_disk and not known.can_be(identity)


def _tells_enough(state: Cut, is_another_file: bool) -> bool:
    """True when nobody but a copy would say the same."""
    wanted = _TELLING_OF_ANOTHER_FILE if is_another_file else _TELLING
    if state.kind != "notebook":
        return len(state.raw.strip()) >= wanted
    try:
        return sum(map(len, _sources(json.loads(state.raw)))) >= wanted
    except (ValueError, RecursionError):
        return False


def _alike(histories: HistoryReader, head: Checkpoint, state: Cut, same: _SameFile) -> bool:
    """True when the two share so much that the one file can have become the other."""
    try:
        if same is _SameFile.SURE:
            return _share_half(histories.manifest(head).cells, state)
        return _share_most_sources(histories.notebook(head), json.loads(state.raw))
    except (RewindError, ValueError, RecursionError):
        return False


def _share_half(before: Sequence[CellRow], state: Cut) -> bool:
    """True when half of the cells of the smaller of the two stand in both, empty ones aside."""
    empty = {cell.identity for cell in state.cells if cell.facts.is_blank}
    said = {cell.identity for cell in before} - empty
    ids = {cell.id for cell in before if cell.id is not None}
    mine = [cell for cell in state.cells if cell.identity not in empty]
    common = sum(cell.identity in said or cell.id in ids for cell in mine)
    return common > 0 and 2 * common >= min(len(before), len(mine))


def _share_most_sources(before: Any, now: Any) -> bool:
    """True when more than half of the cells of the smaller one say the same in both. Ids count for
    nothing here: whatever was begun with one template has the same."""
    was, is_ = _sources(before), _sources(now)
    return 2 * (was & is_).total() > min(was.total(), is_.total())


def _sources(book: Any) -> Counter[str]:
    """What the cells of a notebook of any format say, empty ones aside."""
    found: Counter[str] = Counter()
    sheets = book.get("worksheets") if isinstance(book, dict) else None
    for holder in [book, *(sheets if isinstance(sheets, list) else [])]:
        cells = holder.get("cells") if isinstance(holder, dict) else None
        for cell in cells if isinstance(cells, list) else []:
            source = cell.get("source", cell.get("input", "")) if isinstance(cell, dict) else ""
            text = "".join(map(str, source)) if isinstance(source, list) else str(source)
            if text.strip():
                found[text] += 1
    return found
