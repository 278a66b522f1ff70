"""Notebooks on a disk that is not there now: they are not deleted, and what is written in their
place would vanish beneath the disk when it comes back.
"""

from __future__ import annotations

import os

from jupyter_rewind import clock
from jupyter_rewind.model.ids import HistoryId
from jupyter_rewind.notebooks.entries import FILE, history_key, read_identity
from jupyter_rewind.store.disks import name_disk
from jupyter_rewind.store.repository import Repository


def is_disk_away(repository: Repository, history: HistoryId, path: str, host: str) -> bool:
    """Whether the notebook lay on another disk than the one that is in its place now. `host` is the
    machine that it was last seen on: of others nobody knows the disks, and on a new machine all
    may come back. False where a disk cannot be told from others."""
    if host != clock.host() or not os.path.isabs(path):
        return False
    last = repository.latest(kinds=[FILE], key=history_key(history))
    known = read_identity(last) if last is not None else None
    if known is None or not known.disk:
        return False
    folder = os.path.dirname(path)
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    return name_disk(folder) not in ("", known.disk)
