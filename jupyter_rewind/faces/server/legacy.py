"""The single checkpoint that stock Jupyter left in `.ipynb_checkpoints`: read once, left alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jupyter_rewind.errors import NotFound
from jupyter_rewind.faces.server.reading import Reading, read_stamp
from jupyter_rewind.model.checkpoint import Reason

if TYPE_CHECKING:
    from jupyter_rewind.workspace import Workspace

DEFAULT_FOLDER = ".ipynb_checkpoints"


class LegacyCheckpoints:
    """Takes stock checkpoints into histories, each at the first sight of its file."""

    def __init__(self, *, folder: str = DEFAULT_FOLDER, limit_bytes: int) -> None:
        self._folder = folder
        self._limit = limit_bytes
        self._seen: set[str] = set()

    def take_over(self, workspace: Workspace, file: str) -> bool:
        """Whether the stock checkpoint of `file` became the first one of a new history."""
        if file in self._seen or _has_history(workspace, file):
            return False
        try:
            own = read_stamp(file)
            reading = Reading(self.locate(file), limit_bytes=self._limit)
            raw = reading.take() if own is not None else None
        except OSError:
            return False
        if own is None:
            return False
        self._seen.add(file)
        if not raw or reading.stamp is None:
            return False
        workspace.histories.record(
            file,
            raw,
            reason=Reason.IMPORTED,
            time_ns=reading.stamp.mtime_ns,
            identity=own.identity,
            exists=os.path.lexists,
        )
        return True

    def locate(self, file: str) -> str:
        """Where stock Jupyter keeps the checkpoint of `file`."""
        folder, name = os.path.split(file)
        stem, suffix = os.path.splitext(name)
        return os.path.join(folder, self._folder, f"{stem}-checkpoint{suffix}")


def _has_history(workspace: Workspace, file: str) -> bool:
    try:
        workspace.histories.history(file)
    except NotFound:
        return False
    return True
