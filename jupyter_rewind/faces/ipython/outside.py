"""Code of the user's that runs outside cells: messages of widgets, which call back into it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jupyter_rewind.kernels.session import KernelSession

_MESSAGES = ("comm_open", "comm_msg", "comm_close")


class OutsideWatch:
    """Tells a session that anything may have changed when a front end's message was handled."""

    def __init__(self, session: KernelSession) -> None:
        self._session = session
        self._undo: list[Callable[[], None]] = []

    def install(self, kernel: Any) -> None:
        """Messages are noticed from now on; they are handled as ever."""
        handlers = getattr(kernel, "shell_handlers", None)
        for name in _MESSAGES:
            handler = handlers.get(name) if isinstance(handlers, dict) else None
            if isinstance(handlers, dict) and handler is not None:
                handlers[name] = self._noticed(handler)
                self._undo.append(functools.partial(handlers.__setitem__, name, handler))

    def remove(self) -> None:
        """Handlers are what they were before."""
        while self._undo:
            self._undo.pop()()

    def _noticed(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handler)
        def handle(*args: Any, **kwargs: Any) -> Any:
            try:
                return handler(*args, **kwargs)
            finally:
                self._session.note_outside("a message of a widget")

        return handle
