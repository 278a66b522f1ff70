"""What the kernel before this one left behind: looked for beside the user's work, offered once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from jupyter_rewind.errors import NotFound, RewindError
from jupyter_rewind.kernels.threads import make_thread

if TYPE_CHECKING:
    from jupyter_rewind.kernels.archive import Archive, Legacy
    from jupyter_rewind.kernels.session import KernelSession
    from jupyter_rewind.model.execution import Run

log = logging.getLogger(__name__)


class Predecessor:
    """Finds the last state of the notebook's kernel before this one."""

    def __init__(
        self,
        session: KernelSession,
        runs_of_notebook: Callable[[Archive, str], list[Run]],
    ) -> None:
        """`runs_of_notebook` knows where the notebook lay before, which nothing of kernels does."""
        self._session = session
        self._runs_of_notebook = runs_of_notebook
        self._thread: threading.Thread | None = None
        self._found: Legacy | None = None

    def look(self) -> None:
        """The search begins, in a thread; nobody waits for it here."""
        if self._thread is None:
            self._thread = make_thread(self._look, "rewind-predecessor")
            self._thread.start()

    def is_over(self, *, wait_seconds: float) -> bool:
        """Whether the search, if there was one, has ended within that time."""
        if self._thread is None:
            return True
        self._thread.join(wait_seconds)
        return not self._thread.is_alive()

    def cut_short(self, *, wait_seconds: float) -> Legacy | None:
        """What is offered: the state of a kernel that nobody wanted to end, if the search has
        ended within that time and found one."""
        if not self.is_over(wait_seconds=wait_seconds) or self._found is None:
            return None
        return self._found if self._found.state.was_cut_short else None

    def runs(self, archive: Archive) -> list[Run]:
        """The runs of this notebook, or else of this kernel, before this one."""
        run = self._session.run
        if run.path:
            found = self._runs_of_notebook(archive, run.path)
        else:
            found = archive.runs.of_kernel(run.kernel) if run.kernel else []
        return [each for each in found if each.id != run.id]

    def newest(self) -> Legacy:
        """The newest state that any run before left, however it ended. Raises NotFound, Storage."""
        archive = self._session.archive
        found = archive.last_state(self.runs(archive), but=self._session.run.id)
        if found is None:
            raise NotFound(
                "No kernel before this one left a state of this notebook.",
                hint="`jupyter rewind kernels` lists the runs that the store knows of.",
            )
        return found

    def _look(self) -> None:
        try:
            archive = self._session.open_archive()
            try:
                archive.repository.refresh()
                runs = [
                    run
                    for run in self.runs(archive)
                    if not run.program or archive.runs.state(run).was_cut_short
                ]
                self._found = archive.last_state(runs, but=self._session.run.id)
            finally:
                archive.repository.close()
        except RewindError as error:
            log.info("no predecessor was looked for: %s", error)
        except Exception:
            log.warning("no predecessor was looked for", exc_info=True)
