"""What Jupyter itself kept of a file before Rewind, taken when the file is first seen as it goes.

The store is written by a thread, when a deleted or renamed file is no more there to begin a history
with. So what stands in `.ipynb_checkpoints` is read before. It is left alone, as ever.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_server.services.contents.manager import ContentsManager

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.server.calls import look_before
from jupyter_rewind.faces.server.paths import Paths, is_notebook
from jupyter_rewind.faces.server.recorder import Recorder

if TYPE_CHECKING:
    from jupyter_rewind.notebooks.stock import Stock
    from jupyter_rewind.workspace import Workspace

_MOST_BYTES = 256 << 20
_SECONDS = 10.0


class StockTaking:
    """Stands before the deletions and renames of one contents manager."""

    def __init__(self, recorder: Recorder, paths: Paths, folder: str) -> None:
        self._recorder = recorder
        self._paths = paths
        self._folder = folder
        self._held_bytes = 0
        self._lock = threading.Lock()

    def install(self, manager: ContentsManager) -> None:
        """To be called when all others stand before these calls already: it is asked first."""
        look_before(manager, "delete_file", self.before_delete)
        look_before(manager, "rename_file", self.before_rename)

    def before_delete(self, path: str) -> None:
        """What Jupyter kept of `path`, or of the notebooks below it, is in memory; never raises."""
        self._look(path, "deleted", self._files_in)

    def before_rename(self, path: str) -> None:
        """What Jupyter kept of the file `path` is in memory; what stands in a folder goes with it.
        Never raises."""
        self._look(path, "renamed", lambda file: iter(() if os.path.isdir(file) else (file,)))

    def _look(self, path: str, verb: str, find: Callable[[str], Iterator[str]]) -> None:
        try:
            file = self._paths.file(path.strip("/"))
            if self._paths.is_link(path):
                return  # what it leads to stays where it is
            until = clock.monotonic() + _SECONDS
            for found in find(file):
                if clock.monotonic() > until or not self._take(found):
                    self._recorder.note_failure(
                        "Not all that Jupyter itself had kept below %s was taken over before it"
                        f" was {verb}.",
                        path,
                    )
                    return
        except Exception as error:
            self._recorder.note_failure(
                f"Could not look for what Jupyter itself had kept of %s before it was {verb}: %r",
                path,
                error,
                error=error,
            )

    def _files_in(self, path: str) -> Iterator[str]:
        if not os.path.isdir(path):
            yield path
            return
        from jupyter_rewind.workspace import find_stocked

        for folder, folders, _ in os.walk(path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from filter(is_notebook, find_stocked(folder, self._folder))

    def _take(self, file: str) -> bool:
        """False where too much is in memory already."""
        from jupyter_rewind.workspace import keep_stock, read_stock

        settings, opened = self._recorder.settings, self._recorder.opened
        if not is_notebook(file) and not settings.notebooks_text_files:
            return True
        histories = None if opened is None else opened.histories
        cap = settings.notebooks_max_file_mb << 20
        stock = read_stock(Path(file), self._folder, cap, histories)
        if stock is None:
            return True
        if not self._hold(stock):
            return False

        def act(workspace: Workspace) -> None:
            try:
                # What waits to be stored before this may begin the history in the meantime.
                keep_stock(workspace.histories, stock, is_first=histories is not None)
            except RewindError as error:
                self._recorder.note_failure(
                    "What Jupyter itself had kept of %s could not be taken over: %s", file, error
                )
            finally:
                self._drop(stock)

        self._recorder.submit(act, file)
        return True

    def _hold(self, stock: Stock) -> bool:
        with self._lock:
            if self._held_bytes + stock.document.size > _MOST_BYTES:
                return False
            self._held_bytes += stock.document.size
            return True

    def _drop(self, stock: Stock) -> None:
        with self._lock:
            self._held_bytes -= stock.document.size
