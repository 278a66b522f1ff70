"""Before an image of this process is made, what need not be in it goes: memory that Rewind holds
for a while, and memory that is free and was not given back to the system.

Answers on the control channel, so while a cell runs as well.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any

from jupyter_rewind.kernels.life import LIGHTEN
from jupyter_rewind.kernels.session import KernelSession

log = logging.getLogger(__name__)
_PAUSE_SECONDS = 5.0
"""Until the image is begun, at most."""


def offer_lightening(shell: Any, find_session: Callable[[], KernelSession | None]) -> None:
    """The shell's kernel answers the request from now on; `find_session` tells of Rewind in it."""
    kernel = getattr(shell, "kernel", None)
    handlers = getattr(kernel, "control_handlers", None)
    if isinstance(handlers, dict):
        handlers[f"{LIGHTEN}_request"] = functools.partial(_answer, kernel, find_session)


def _answer(
    kernel: Any,
    find_session: Callable[[], KernelSession | None],
    stream: Any,
    ident: Any,
    parent: Any,
) -> None:
    try:
        session = find_session()
        if session is not None:
            session.lighten(_PAUSE_SECONDS)
        give_back_free_memory()
    except Exception:
        log.warning("an image will hold memory that it need not hold", exc_info=True)
    finally:
        kernel.session.send(stream, f"{LIGHTEN}_reply", {"status": "ok"}, parent, ident=ident)


def give_back_free_memory() -> None:
    """The system has again what the C library keeps of memory that is free."""
    if sys.platform != "linux":
        return
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is not None:
        trim(0)
