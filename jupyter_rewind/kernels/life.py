"""The sign of life of a run: a lock that its process holds, and that ends as the process does."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_rewind import clock
from jupyter_rewind.errors import RewindError
from jupyter_rewind.model.execution import Run
from jupyter_rewind.model.ids import RunId
from jupyter_rewind.store.layout import Layout
from jupyter_rewind.store.locks import FileLock, is_locked

LIFE_VARIABLE = "REWIND_KERNEL_LIFE"
"""Names the file that a kernel has open where images are made of it."""
LIGHTEN = "rewind_lighten"
"""The request, on a kernel's control channel, to hold little memory for the moment of an image."""
LIGHTEN_SECONDS = 10.0
"""So long a state that is on its way into the store is waited for: more than half a gigabyte a
second, while an image with all of it in would take longer to store."""
_PREFIX = "run-"


class SignOfLife:
    """Held by the process of a run for as long as that lives."""

    def __init__(self, layout: Layout, run: RunId) -> None:
        self._lock = FileLock(life_path(layout, run))
        self._pid = clock.process()
        self._held = False

    def show(self) -> bool:
        """True when others can see that the run lives; False where there are no locks."""
        try:
            self._held = self._lock.try_acquire(exclusive=True)
        except RewindError:
            self._held = False
        if self._held and hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.leave)
        return self._held

    def end(self) -> None:
        """The run is seen to have ended."""
        if self._held and self._pid == clock.process():
            self._held = False
            self._lock.release(remove=True)

    def leave(self) -> None:
        """As in a child: the run is another process's."""
        # A worker that outlives the kernel would make it look alive.
        if self._held:
            self._held = False
            self._lock.release()


def life_path(layout: Layout, run: RunId) -> Path:
    """The lock that the process of `run` holds."""
    return layout.locks / f"{_PREFIX}{run}"


def is_alive(layout: Layout, run: Run) -> bool:
    """Whether the process of `run` is still there, as far as can be told from here."""
    if run.ended_ns is not None:
        return False
    try:
        return is_locked(life_path(layout, run.id))
    except RewindError:
        return run.host == clock.host() and run.boot == clock.boot_id() and _exists(run.pid)


def _exists(pid: int) -> bool:
    if os.name == "nt" or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
