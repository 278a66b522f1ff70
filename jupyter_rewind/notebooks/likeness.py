"""What two states, or two files, have in common: enough to be one notebook, or to be two."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from jupyter_rewind.errors import RewindError
from jupyter_rewind.model.checkpoint import Checkpoint, FileIdentity
from jupyter_rewind.model.ids import HistoryId
from jupyter_rewind.model.notebook import NOTEBOOK, CellRow
from jupyter_rewind.notebooks.cutting import Cut
from jupyter_rewind.notebooks.entries import FILE, history_key, read_identity

if TYPE_CHECKING:
    from jupyter_rewind.notebooks.reading import HistoryReader

# Letters of source that no two notebooks say alike by chance: one cell of usual imports has fewer.
_TELLING = 100
# The same where the file is known to be another one, as after a checkout of another branch.
_TELLING_OF_ANOTHER_FILE = 400


class SameFile(Enum):
    """Whether an older history's file is this very one."""

    NO = "no"
    MAYBE = "the inode is"
    SURE = "inode and birth are"


def known_file(histories: HistoryReader, history: HistoryId) -> FileIdentity | None:
    """What the file system called the history's file when it was last seen."""
    last = histories.repository.latest(kinds=[FILE], key=history_key(history))
    return read_identity(last) if last is not None else None


def on_disk_of(known: FileIdentity | None, other: FileIdentity | None) -> FileIdentity | None:
    """`known` with the number that its device has now, where it is of the disk of `other`; None
    where it is of another one, or nobody knows."""
    if known is None or other is None:
        return None
    if known.disk and other.disk:
        # Numbers of devices are given anew at each start.
        return replace(known, device=other.device) if known.disk == other.disk else None
    return known if known.device == other.device else None


def is_another(histories: HistoryReader, history: HistoryId, identity: FileIdentity | None) -> bool:
    """True when the history's file and this one are of one disk and not the same."""
    known = on_disk_of(known_file(histories, history), identity)
    return known is not None and identity is not None and not known.can_be(identity)


def tells_enough(state: Cut, is_another_file: bool) -> bool:
    """True when nobody but a copy would say the same."""
    wanted = _TELLING_OF_ANOTHER_FILE if is_another_file else _TELLING
    if state.kind != NOTEBOOK:
        return len(state.raw.strip()) >= wanted
    try:
        return sum(map(len, _sources(json.loads(state.raw)))) >= wanted
    except (ValueError, RecursionError):
        return False


def is_no_chance(state: Cut) -> bool:
    """True when two that say this have one origin: cells have ids that no others get, or they say
    enough. `import pandas as pd` alone is how a thousand notebooks begin."""
    return any(cell.id is not None for cell in state.cells) or tells_enough(state, False)


def is_alike(histories: HistoryReader, head: Checkpoint, state: Cut, same: SameFile) -> bool:
    """True when the two share so much that the one file can have become the other."""
    try:
        if same is SameFile.SURE:
            return _share_half(histories.manifest(head).cells, state)
        return _share_most_sources(histories.notebook(head), json.loads(state.raw))
    except (RewindError, ValueError, RecursionError):
        return False


def is_unlike(histories: HistoryReader, head: Checkpoint, state: Cut) -> bool:
    """True when both can be read as notebooks, and share neither cells nor what these say. A
    damaged state is like everything: what it was cannot be told."""
    if state.kind != NOTEBOOK or head.kind != NOTEBOOK:
        return False
    try:
        if _share_half(histories.manifest(head).cells, state):
            return False
        return not _share_most_sources(histories.notebook(head), json.loads(state.raw))
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
