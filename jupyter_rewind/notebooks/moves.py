"""Where a file was that was moved outside Jupyter, asked when its history is asked for.

Whoever asks for a notebook under its new name gets its history, as a save or a look at the served
folder would have given it. Only a file that belongs to no history under this name is read for that,
and nothing is written where none comes along. No checkpoint is made: that is for `recording.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_rewind.errors import NotFound, RewindError, Storage
from jupyter_rewind.model.checkpoint import FileIdentity
from jupyter_rewind.model.ids import HistoryId
from jupyter_rewind.notebooks.contents import cut
from jupyter_rewind.notebooks.cutting import Cut
from jupyter_rewind.notebooks.entries import FILE, file_body, history_key
from jupyter_rewind.notebooks.files import document_path, identify, own_name, read_document
from jupyter_rewind.notebooks.history import Histories
from jupyter_rewind.notebooks.kinship import Kinship, find_kin
from jupyter_rewind.notebooks.likeness import known_file
from jupyter_rewind.notebooks.takeover import find_takeover, has_moved_to
from jupyter_rewind.store.transaction import Transaction


def key_of(histories: Histories, path: str, max_bytes: int, *, to_write: bool = False) -> str:
    """What the history of `path` is asked for by: the file's absolute path, or a history's own id.
    A file that was moved here outside Jupyter has its history by then; where the store takes
    nothing, it is asked for by its id. Raises Storage instead if the file is `to_write`. What
    others stored until now is seen."""
    histories.repository.refresh()
    if not os.path.lexists(path) and histories.bindings.exists(path):
        return path
    place = document_path(path)
    try:
        comes = _find_coming(histories, place, max_bytes)
    except NotFound:
        comes = None
    if comes is None:
        return str(place)
    try:
        bring_history(histories, place, max_bytes)
    except Storage:
        if to_write:
            raise
        return comes
    return str(place)


def file_of(histories: Histories, path: str) -> Path:
    """The file `path`; of the history with this id, the one that it is of, where it was last."""
    if not os.path.lexists(path) and histories.bindings.exists(path):
        place = histories.bindings.place(HistoryId(path))
        if place is not None:
            return Path(place.path)
    return document_path(path)


def bring_history(histories: Histories, path: Path, max_bytes: int | None) -> bool:
    """True when the file `path`, moved outside Jupyter, has brought its history along. Nothing is
    written where it has none. Raises Storage."""
    if _find_coming(histories, path, max_bytes) is None:
        return False
    with histories.repository.transaction() as tx:
        # Somebody else may have seen it meanwhile.
        return _find_coming(histories, path, max_bytes, tx) is not None


def follow_file(histories: Histories, path: Path, max_bytes: int | None) -> bool:
    """As `bring_history`, where it is the very file of a history; one that only says the same is
    not read, which costs a server time while it opens a file."""
    identity = identify(path)
    is_known = identity is not None and has_moved_to(histories, str(path), identity)
    return is_known and bring_history(histories, path, max_bytes)


def _find_coming(
    histories: Histories, path: Path, max_bytes: int | None, tx: Transaction | None = None
) -> HistoryId | None:
    """The history that the file `path` had under another name; with `tx` it has this one then."""
    key, history = str(path), histories.bindings.current(str(path))
    if history is not None:
        identity = identify(path)
        if identity is None or not has_moved_to(histories, key, identity):
            return None
    try:
        document = read_document(path, max_bytes)
    except (RewindError, ValueError):
        # It is not there, or nothing to keep: whoever asks for more than its history is told.
        return None
    state = cut(document.raw)
    if history is not None:
        return _find_owner(histories, history, key, state, document.identity, tx)
    kin = find_kin(histories, key, state, document.identity, os.path.lexists)
    if kin.history is None or kin.how not in {Kinship.MOVED, Kinship.BACK}:
        return None
    if tx is not None:
        if kin.how is Kinship.MOVED:
            histories.bindings.move(tx, kin.path, key, kin.history)
        else:
            histories.bindings.bind(tx, key, kin.history, "undeleted")
        _note_file(histories, tx, kin.history, document.identity)
    return kin.history


def _find_owner(
    histories: Histories,
    history: HistoryId,
    path: str,
    state: Cut,
    identity: FileIdentity,
    tx: Transaction | None,
) -> HistoryId | None:
    """As `_find_coming`, where `path` still has `history`, which is of another file."""
    head = histories.head_of(history)
    if head is None:
        return None
    taken = find_takeover(histories, history, head, path, state, identity)
    if taken is None or taken.comes is None:
        return None
    if tx is not None:
        places = {path: taken.comes}
        if taken.moved_to is not None:
            places[taken.moved_to] = history
        histories.bindings.rearrange(tx, places, {})
    return taken.comes


def _note_file(
    histories: Histories, tx: Transaction, history: HistoryId, identity: FileIdentity
) -> None:
    if identity.tells_more_than(known_file(histories, history)):
        tx.add(FILE, keys=[identity.key, history_key(history)], body=file_body(identity))


@contextmanager
def telling_links(histories: Histories, path: str) -> Iterator[None]:
    """NotFound of a file without a history says so where a link took the place of one that had."""
    try:
        yield
    except NotFound as error:
        place = document_path(path)
        own = histories.bindings.current(own_name(path))
        if own is not None and histories.bindings.last_of_path(str(place)) is None:
            error.hint = (
                f"{path} is a link now. What it was before is kept: `jupyter rewind history {own}`."
            )
        raise
