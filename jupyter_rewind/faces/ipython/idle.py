"""What was passed over for want of time is made up for while the kernel is idle."""

from __future__ import annotations

import logging
import select
from typing import Any

from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.ipython.guard import Untraced
from jupyter_rewind.kernels.session import KernelSession

log = logging.getLogger(__name__)
IDLE_SECONDS = 1.0


class IdleWork:
    """Waits for a pause between two cells, on the kernel's own loop."""

    def __init__(self, shell: Any, session: KernelSession) -> None:
        self._kernel = getattr(shell, "kernel", None)
        self._session = session
        self._waiting: Any = None

    def plan(self) -> None:
        """When the kernel has been idle for a moment, the session catches up."""
        # A kernel has its loop only once it has started, after extensions were loaded.
        loop = getattr(self._kernel, "io_loop", None)
        if loop is not None and self._waiting is None and self._session.is_behind:
            # A state that was passed over since the last one is too young waits for its time, too.
            cooldown = self._session.timeline.capturer.cooldown_left()
            self._waiting = loop.call_later(max(IDLE_SECONDS, cooldown), self._work)

    def drop(self) -> None:
        """A cell begins: there is no pause."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None and self._kernel is not None:
            self._kernel.io_loop.remove_timeout(waiting)

    def _is_awaited(self) -> bool:
        """Whether a message of the user's has come, which waits for this thread, or an image of
        the process is about to be made."""
        if self._session.is_light:
            return True
        try:
            socket = _inlet(self._kernel)
            return socket is not None and _has_news(socket)
        except (AttributeError, OSError, ValueError):
            return False

    def _work(self) -> None:
        self._waiting = None
        try:
            with Untraced():
                self._session.catch_up(self._is_awaited)
        except RewindError as error:
            log.warning("a state that was passed over is not kept: %s", error)
        except Exception:
            log.warning("a fault of Rewind's own, between two cells", exc_info=True)
        else:
            # Where somebody asked for something meanwhile, there is another pause.
            self.plan()


def _inlet(kernel: Any) -> Any:
    """The socket that cells come through: the kernel's own, or from ipykernel 7 on one from the
    thread that receives them. None where it is not known."""
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is not None:
        return thread.manager.get_shell_channel_to_subshell_pair(None).to_socket
    return getattr(getattr(kernel, "shell_stream", None), "socket", None)


def _has_news(socket: Any) -> bool:
    """Asks the system and not the socket, which would take the answer for told."""
    poll = select.poll()
    poll.register(socket.FD, select.POLLIN)
    return bool(poll.poll(0))
