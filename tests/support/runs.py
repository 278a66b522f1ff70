"""One run of a notebook without IPython, with the verbs that a user has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_rewind.faces.ipython.verbs import Verbs
from jupyter_rewind.kernels.beginning import Place
from jupyter_rewind.kernels.predecessor import Predecessor
from jupyter_rewind.kernels.session import KernelSession
from jupyter_rewind.lineage import runs_of_notebook
from jupyter_rewind.settings import Rewind


class QuickKernel:
    """One run of the notebook, without IPython."""

    def __init__(
        self,
        folder: Path,
        variables: dict[str, Any],
        resume: str = "ask",
        *,
        notebook: str = "analysis.ipynb",
        floor_ms: int = 60_000,
    ) -> None:
        """`floor_ms` is what a state may take; what it takes on a machine that is busy is more than
        the usual."""
        settings = Rewind(
            store_path=str(folder / "store"),
            store_key_folder=str(folder / "keys"),
            kernels_budget_floor_ms=floor_ms,
            kernels_resume=resume,
        )
        self.told: list[str] = []
        self.namespace: dict[str, Any] = {"__name__": "__main__", "_oh": {}, **variables}
        place = Place("kernel", "", str(folder / notebook))
        self.session = KernelSession(self.namespace, settings, place, self.told.append)
        self.session.start()
        self.verbs = Verbs(self.session, Predecessor(self.session, runs_of_notebook))
        self._count = 0

    def run(self, source: str) -> None:
        """A cell, from its beginning to its end."""
        self._count += 1
        self.session.begin(source, self._count, None, True)
        exec(source, self.namespace)
        self.session.end("ok")
        self.session.timeline.capturer.flush()

    def die(self) -> None:
        """To others, the process of this run is gone, and nobody wanted that."""
        self.session.life.end()
