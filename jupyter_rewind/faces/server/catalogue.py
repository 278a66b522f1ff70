"""Tells a hub's catalogue how much is kept here and how far behind the replicas are.

Without a catalogue nothing is imported and no thread is made.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from jupyter_rewind import __version__
from jupyter_rewind.errors import Internal, RewindError
from jupyter_rewind.faces.server.recorder import Recorder
from jupyter_rewind.faces.server.replicas import Replicas

if TYPE_CHECKING:
    from jupyter_rewind.catalogue import Behind, Row
    from jupyter_rewind.workspace import Workspace

_FIRST_SECONDS = 2.0
_STOP_SECONDS = 5.0
_LOOK_SECONDS = 60.0


class CatalogueWriter:
    """A server's part in the catalogue: one row, written now and then, and at the end."""

    def __init__(self, recorder: Recorder, replicas: Replicas, log: logging.Logger) -> None:
        self._recorder = recorder
        self._replicas = replicas
        self._log = log
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.error: RewindError | None = None
        """Why the catalogue did not get the last row; None where it did."""

    def start(self) -> None:
        """The row is written from now on, where there is a catalogue."""
        if self._recorder.settings.catalogue_url and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="rewind-catalogue", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """The last row is written, or the time for it is up. To be called when the recorder and the
        replicas have stopped: it tells how they ended."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def notices(self) -> list[str]:
        """What of it the user should know."""
        return [f"The hub's catalogue is not told: {self.error}"] if self.error else []

    def write(self) -> None:
        """The row stands in the catalogue; else `error` says why not. Never raises."""
        try:
            self._write()
        except RewindError as error:
            self._note(error)
        except Exception as error:
            self._note(Internal(f"The catalogue could not be written to: {error!r}."))
        else:
            self._note(None)

    def _work(self) -> None:
        seconds = _FIRST_SECONDS
        while not self._stopping.wait(seconds):
            self.write()
            seconds = float(self._recorder.settings.catalogue_interval_seconds)
        self.write()

    def _write(self) -> None:
        from jupyter_rewind.catalogue import Catalogue, describe

        catalogue = Catalogue(self._recorder.settings)
        replicas = list(map(_behind, self._replicas.rows()))

        def look(workspace: Workspace) -> Row:
            return describe(workspace, catalogue.username, __version__, replicas)

        catalogue.put(self._look_last(look) if self._stopping.is_set() else self._look(look))

    def _look(self, look: Callable[[Workspace], Row]) -> Row:
        return self._recorder.view(look).result(_LOOK_SECONDS)

    def _look_last(self, look: Callable[[Workspace], Row]) -> Row:
        """After the recorder has stopped, and closed the store."""
        from jupyter_rewind.workspace import Workspace

        with Workspace.open(self._recorder.settings, create=False) as workspace:
            return look(workspace)

    def _note(self, error: RewindError | None) -> None:
        if error is not None and str(error) != str(self.error or ""):
            self._log.warning("The catalogue is not told how much is kept: %s", error)
        self.error = error


def _behind(row: dict[str, object]) -> Behind:
    from jupyter_rewind.catalogue import Behind

    oldest = row["oldest"]
    return Behind(
        str(row["url"]),
        str(row["state"]),
        float(str(row["behind_seconds"])),
        int(str(row["behind_bytes"])),
        str(oldest) if oldest is not None else None,
    )
