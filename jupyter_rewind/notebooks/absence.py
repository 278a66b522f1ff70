"""Files that are gone though nobody said so, removed outside Jupyter: noted, with since when.

A file counts as gone where its folder is there, on the very disk that it lay on, and it is not: a
disk that is not plugged in, or another one in its place, costs no history; nor does one that cannot
be told from others, nor a name whose very file goes on under another one. The note is void as soon
as the history goes on, and taken back when the file is found again. It refuses to end a history:
that is for `expiry`.
"""

from __future__ import annotations

import os

from jupyter_rewind.model.entry import Entry
from jupyter_rewind.model.ids import HistoryId
from jupyter_rewind.notebooks.bindings import Place
from jupyter_rewind.notebooks.entries import (
    ABSENT,
    BINDINGS,
    CHECKPOINT,
    FILE,
    history_key,
    read_identity,
)
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.takeover import lives_elsewhere
from jupyter_rewind.store.disks import name_disk


def gone_since(histories: Histories, history: HistoryId, place: Place) -> int | None:
    """Since when (ns) the history has no file, as far as was noted; None while it has one."""
    if not place.bound:
        return place.order
    note = _note(histories, history)
    return note.order if note is not None and is_missing(histories, history, place) else None


def note_absences(histories: Histories) -> None:
    """Files that are found to be gone count as gone from now on; those that are back do not."""
    gone: list[HistoryId] = []
    back: list[Entry] = []
    for history in histories.bindings.histories():
        place = histories.bindings.place(history)
        if place is None or not place.bound:
            continue
        note, missing = _note(histories, history), is_missing(histories, history, place)
        if missing and note is None:
            gone.append(history)
        elif note is not None and not missing:
            back.append(note)
    if gone:
        with histories.repository.transaction() as tx:
            for history in gone:
                tx.add(ABSENT, keys=[history_key(history)], body={})
    if back:
        with histories.repository.transaction(exclusive=True) as tx:
            tx.expire(note.id for note in back)


def is_missing(histories: Histories, history: HistoryId, place: Place) -> bool:
    """True when the file of `history` is gone; False where that cannot be told for sure."""
    if not os.path.isabs(place.path):
        return False
    try:
        os.lstat(place.path)
        return False
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError:
        return False
    folder = os.path.dirname(place.path)
    try:
        device = os.stat(folder).st_dev
    except OSError:
        return False
    last = histories.repository.latest(kinds=[FILE], key=history_key(history))
    known = read_identity(last) if last is not None else None
    if known is None or not known.disk or known.device != device:
        return False
    return known.disk == name_disk(folder) and not lives_elsewhere(histories, known)


def _note(histories: Histories, history: HistoryId) -> Entry | None:
    """The note that the file is gone, unless the history went on since."""
    kinds = [CHECKPOINT, *BINDINGS, FILE, ABSENT]
    last = histories.repository.latest(kinds=kinds, key=history_key(history))
    return last if last is not None and last.kind == ABSENT else None
