"""Saves of one file come one after the other, whichever server does them.

Jupyter truncates a file and writes it: two at the same time leave a mixture of both, and what a
user's hook makes of one save may be gone before it is read. A turn is waited for for a moment; a
save is never refused for want of one, and does not begin before its turn was asked for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.server import request
from jupyter_rewind.faces.server.paths import Paths

if TYPE_CHECKING:
    from jupyter_rewind.faces.server.recorder import Recorder
    from jupyter_rewind.workspace import Workspace

PATIENCE_SECONDS = 1.0
_PAUSE_SECONDS = 0.004


class SaveTurns:
    """The turns that one server's saves take, in the store that it has open."""

    def __init__(self, recorder: Recorder, paths: Paths) -> None:
        """No save fails by a fault of ours here: `recorder` notes it."""
        self._recorder = recorder
        self._paths = paths
        self._is_network: dict[str, bool] = {}

    @asynccontextmanager
    async def taken_async(self, path: object) -> AsyncIterator[None]:
        """In the block nobody else saves `path`, unless somebody takes too long."""
        turn = self._find(path)
        until = clock.monotonic() + PATIENCE_SECONDS
        try:
            while turn is not None and not turn.take() and clock.monotonic() < until:
                await asyncio.sleep(_PAUSE_SECONDS)
            yield
        finally:
            if turn is not None:
                turn.give_back()

    @contextmanager
    def taken(self, path: object) -> Iterator[None]:
        """As `taken_async`, for managers that save at once."""
        turn = self._find(path)
        until = clock.monotonic() + PATIENCE_SECONDS
        try:
            while turn is not None and not turn.take() and clock.monotonic() < until:
                time.sleep(_PAUSE_SECONDS)
            yield
        finally:
            if turn is not None:
                turn.give_back()

    def _find(self, path: object) -> _Turn | None:
        """None where there is none to take: within another save, which has it; while the store
        is not open; where asking for it may hang."""
        workspace = self._recorder.opened
        if workspace is None or request.current_saving() is not None:
            return None
        try:
            file = self._paths.file(str(path).strip("/"))
            return None if self._may_hang(workspace) else _Turn(workspace, file, self._note)
        except (RewindError, OSError, ValueError):
            return None
        except Exception as error:
            self._note(str(path), error)
            return None

    def _note(self, path: str, error: Exception) -> None:
        self._recorder.note_failure("No turn to save %s: %r", path, error, error=error)

    def _may_hang(self, workspace: Workspace) -> bool:
        from jupyter_rewind.workspace import is_network

        folder = workspace.repository.folder
        known = self._is_network.get(str(folder))
        if known is None:
            known = self._is_network[str(folder)] = is_network(folder)
        return known


class _Turn:
    """One save's turn; whatever keeps it from being taken counts as no need for it."""

    def __init__(
        self, workspace: Workspace, file: str, note: Callable[[str, Exception], None]
    ) -> None:
        from jupyter_rewind.workspace import lane_lock

        self._lock = lane_lock(workspace.repository.layout, "save", file)
        self._file = file
        self._note = note

    def take(self) -> bool:
        try:
            return self._lock.try_acquire(exclusive=True)
        except RewindError:
            return True
        except Exception as error:
            self._note(self._file, error)
            return True

    def give_back(self) -> None:
        try:
            self._lock.release()
        except Exception as error:  # a network drive may refuse even to close a file
            self._note(self._file, error)
