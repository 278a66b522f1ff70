"""Which checkpoint to offer where a notebook's file is damaged: the newest one that Jupyter opens.

A notebook that another program writes, and that Jupyter never opens, may have hundreds that it does
not open: each is read once by a process. What was found good is read anew, for it may be damaged.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from jupyter_rewind.errors import Denied, Integrity, NotFound
from jupyter_rewind.model.checkpoint import Checkpoint
from jupyter_rewind.model.ids import Digest
from jupyter_rewind.notebooks.faults import judge_opening
from jupyter_rewind.notebooks.history import Histories

_REMEMBERED = 20_000


def find_last_good(histories: Histories, path: str) -> Checkpoint | None:
    """The newest checkpoint of `path` that Jupyter opens and that has cells. None also where
    there is no history."""
    try:
        found = histories.checkpoints(path, newest_first=True)
    except NotFound:
        return None
    for checkpoint in found:
        if checkpoint.kind != "notebook" or not checkpoint.counts.cells:
            continue
        if _closed.has(checkpoint.raw):
            continue
        try:
            raw = histories.read(checkpoint)
        except (Integrity, Denied):
            continue
        if judge_opening(raw, checkpoint.path).is_ok:
            return checkpoint
        _closed.note(checkpoint.raw)
    return None


class _Closed:
    """States that Jupyter does not open, by the digest of their bytes. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._met: OrderedDict[Digest, None] = OrderedDict()

    def has(self, name: Digest) -> bool:
        with self._lock:
            if name not in self._met:
                return False
            self._met.move_to_end(name)
            return True

    def note(self, name: Digest) -> None:
        with self._lock:
            self._met[name] = None
            while len(self._met) > self._limit:
                self._met.popitem(last=False)


_closed = _Closed(_REMEMBERED)
