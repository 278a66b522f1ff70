"""The store of one server, opened when it is first needed; after a refusal, again seconds later."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from jupyter_rewind import clock
from jupyter_rewind.errors import Internal, RewindError

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind
    from jupyter_rewind.workspace import Workspace

log = logging.getLogger(__name__)
_RETRY_SECONDS = 5.0


class Opening:
    """The workspace that the settings name, or why there is none. For threads, not for the loop."""

    def __init__(self, settings: Rewind) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._refused_at = 0.0
        self.opened: Workspace | None = None
        self.refusal: RewindError | None = None

    def workspace(self) -> Workspace:
        """The open workspace. Raises what opening the store raises."""
        with self._lock:
            if self.opened is not None:
                if not _is_replaced(self.opened):
                    return self.opened
                folder = self.opened.repository.folder
                log.warning("Another store took the place of that at %s: it is used now.", folder)
                self.opened = None
            if self.refusal and clock.monotonic() - self._refused_at < _RETRY_SECONDS:
                raise self.refusal
            try:
                from jupyter_rewind.workspace import Workspace

                self._found()
                self.opened = Workspace.open(self._settings)
            except RewindError as error:
                self.refusal, self._refused_at = error, clock.monotonic()
                raise
            except Exception as error:
                fault = Internal(f"The store could not be opened: {error!r}.")
                self.refusal, self._refused_at = fault, clock.monotonic()
                raise fault from error
            self.refusal = None
            return self.opened

    def _found(self) -> None:
        """Where nothing is here yet, and there is a replica, its store is the one; what it holds
        comes by itself. Else saving does not wait for it, and the replica says why not."""
        if not self._settings.replica_url.strip():
            return
        from jupyter_rewind.beginning import Beginning

        try:
            Beginning(self._settings).begin()
        except RewindError as error:
            log.warning("A store of its own is begun here: %s", error)

    def renew(self, replaced: Workspace) -> None:
        """Another store took the place of the open one: it is opened when it is next needed."""
        with self._lock:
            if self.opened is replaced:
                self.opened = None

    def close(self) -> None:
        """The store is not held any more."""
        if self.opened is not None:
            self.opened.close()


def _is_replaced(workspace: Workspace) -> bool:
    """Whether another store stands in the place of the open one; what was taken away is told by
    whoever reads or writes it."""
    from jupyter_rewind.store.layout import read_store_id

    store = workspace.repository
    with suppress(RewindError):
        return read_store_id(store.folder) != store.store_id
    return False
