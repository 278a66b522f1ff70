"""What the first cell would wait for is made ready beside the start of its kernel.

Importing what keeps and restores states, and asking installed packages for reducers of theirs,
take some 100 ms of a processor: more than the next thirty cells. Nobody waits for it here, and what
is not ready in time, the first cell makes ready itself.
"""

from __future__ import annotations

import importlib
import logging
import threading

from jupyter_rewind.kernels.threads import make_thread

_NEEDED = (
    "jupyter_rewind.kernels.timeline",
    "jupyter_rewind.kernels.keeping",
    "jupyter_rewind.kernels.restore",
    "jupyter_rewind.store.keep",
)

log = logging.getLogger(__name__)


def make_ready() -> threading.Thread:
    """Begins, and returns at once."""
    thread = make_thread(_make_ready, "rewind-readiness")
    thread.start()
    return thread


def _make_ready() -> None:
    try:
        for name in _NEEDED:
            importlib.import_module(name)
        from jupyter_rewind.kernels.reducers.registry import registry

        registry.find_entry_points()
    except Exception:
        # Whatever it is, the first cell meets it again, and tells of it.
        log.info("not made ready", exc_info=True)
