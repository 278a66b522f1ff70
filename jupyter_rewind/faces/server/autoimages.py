"""A process image after each cell, where the settings ask for it: of any kernel that allows images.

The server hears the end of each cell and makes the image from outside, so that kernels need nothing
for it. Within the cooldown none is made; when it is over, the state after the last cell is kept.
The settings are read at the end of each cell, so `jupyter rewind config set kernels.auto_images
true` holds at once, as does `false`.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import deque
from typing import TYPE_CHECKING, Any

from jupyter_client.session import Session

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, RewindError
from jupyter_rewind.faces.server.ear import follow
from jupyter_rewind.faces.server.imaging import ImageDesk
from jupyter_rewind.model.image import AFTER_CELL
from jupyter_rewind.settings import Rewind

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

_REQUEST = "execute_request"
_REMEMBERED = 64
_AGAIN_SECONDS = 1.0


class AutoImages:
    """Listens to the kernels of one server. Nothing here can keep one from starting or running."""

    def __init__(self, server: ServerApp, images: ImageDesk) -> None:
        self._server = server
        self._images = images
        self._log: logging.Logger = server.log
        self._streams: dict[str, Any] = {}
        self._running: dict[str, deque[str]] = {}
        self._made_at: dict[str, float] = {}
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._told: set[tuple[str, str]] = set()

    def install(self) -> None:
        """Kernels that start from now on are heard."""
        manager = self._server.kernel_manager
        if hasattr(manager, "start_watching_activity"):
            follow(manager, "start_watching_activity", self._listen)
            follow(manager, "stop_watching_activity", self._ignore)

    def _listen(self, kernel_id: str) -> None:
        self._ignore(kernel_id)
        kernel: Any = self._server.kernel_manager.get_kernel(kernel_id)
        if getattr(kernel.provisioner, "place", None) is None:
            return  # not hosted: no image of it can be made
        session = Session(config=kernel.session.config, key=kernel.session.key)
        stream = kernel.connect_iopub()
        self._streams[kernel_id] = stream
        self._running[kernel_id] = deque(maxlen=_REMEMBERED)
        stream.on_recv(functools.partial(self._hear, kernel_id, session))

    def _ignore(self, kernel_id: str) -> None:
        stream = self._streams.pop(kernel_id, None)
        if stream is not None and not stream.closed():
            stream.close()
        handle = self._waiting.pop(kernel_id, None)
        if handle is not None:
            handle.cancel()
        self._running.pop(kernel_id, None)
        self._made_at.pop(kernel_id, None)

    def _hear(self, kernel_id: str, session: Session, parts: list[Any]) -> None:
        """A message of a kernel; never raises."""
        try:
            _, fed = session.feed_identities(parts)
            message = session.deserialize(fed, content=False)
            parent, kind = message.get("parent_header") or {}, message["header"]["msg_type"]
            request = str(parent.get("msg_id"))
            running = self._running.get(kernel_id)
            if parent.get("msg_type") != _REQUEST or running is None:
                return
            if kind == "execute_input":  # a cell: what is asked silently has none
                running.append(request)
            elif (
                kind == "status"
                and request in running
                and session.unpack(message["content"]).get("execution_state") == "idle"
            ):
                running.remove(request)
                self._plan(kernel_id)
        except Exception:
            self._log.debug("a message of kernel %s was not heard", kernel_id, exc_info=True)

    def _plan(self, kernel_id: str) -> None:
        settings = Rewind.load_leniently(config=self._server.config)
        if not settings.kernels_auto_images or kernel_id in self._waiting:
            return
        since = clock.monotonic() - self._made_at.get(kernel_id, float("-inf"))
        wait = max(0.0, settings.kernels_image_cooldown_seconds - since)
        self._begin_in(kernel_id, wait)

    def _begin_in(self, kernel_id: str, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiting[kernel_id] = loop.call_later(seconds, self._begin, kernel_id)

    def _begin(self, kernel_id: str) -> None:
        self._waiting.pop(kernel_id, None)
        task = asyncio.get_running_loop().create_task(self._make(kernel_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make(self, kernel_id: str) -> None:
        try:
            if not Rewind.load_leniently(config=self._server.config).kernels_auto_images:
                return
            self._made_at[kernel_id] = clock.monotonic()
            made = await self._images.create(kernel_id, reason=AFTER_CELL)
            self._log.info("Process image %s of kernel %s was made.", made.id, kernel_id)
        except Conflict as error:
            if error.code == "busy" and kernel_id in self._streams:
                self._begin_in(kernel_id, _AGAIN_SECONDS)
            else:
                self._tell(kernel_id, error)
        except RewindError as error:
            self._tell(kernel_id, error)
        except Exception:
            self._log.exception("No process image of kernel %s was made.", kernel_id)

    def _tell(self, kernel_id: str, error: RewindError) -> None:
        """Once for each reason, not after each cell."""
        if (kernel_id, error.message) not in self._told:
            self._told.add((kernel_id, error.message))
            self._log.warning("No process image after a cell: %s", error)
