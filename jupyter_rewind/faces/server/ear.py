"""Listens to what this server's kernels put out, so that a closed tab loses nothing.

It only hears: a kernel and its front ends notice nothing. Which cell a request is of is known from
the request alone, so those are looked at on their way from the front end.
"""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_client.session import Session

from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.server.overhearing import REQUEST, Overhearing

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from jupyter_rewind.faces.server.paths import Paths
    from jupyter_rewind.kernels.handover import Handover
    from jupyter_rewind.kernels.hearing import Hearing

_TAKEN_SECONDS = 1.0
"""After so long this server hears a kernel that it has taken over, and nobody else need do so."""
CONNECTION = "kernel_websocket_connection_class"
_REMEMBERED = 4096


class Ear:
    """Hears the kernels of one server. Nothing here can keep one from starting or answering."""

    def __init__(
        self, server: ServerApp, hearing: Hearing, paths: Paths, path_of: Callable[[str], str]
    ) -> None:
        self._server = server
        self._hearing = hearing
        self._paths = paths
        self._path_of = path_of
        self._log: logging.Logger = server.log
        self._streams: dict[str, Any] = {}
        self._cells: dict[str, str] = {}
        self._overhearing = Overhearing(
            hearing, self._file_of, lambda request: self._cells.pop(request, None)
        )

    def install(self) -> None:
        """Kernels that start from now on are heard, where they are this server's own."""
        manager = self._server.kernel_manager
        if not hasattr(manager, "start_watching_activity"):
            return  # a gateway's kernels: another server's to hear
        follow(manager, "start_watching_activity", self._listen)
        follow(manager, "stop_watching_activity", self._ignore)
        settings = self._server.web_app.settings
        connection: Any = settings.get(CONNECTION)
        if hasattr(connection, "handle_incoming_message"):
            settings[CONNECTION] = _looked_at(connection, self._note_request)

    def _listen(self, kernel_id: str) -> None:
        self._ignore(kernel_id)
        kernel: Any = self._server.kernel_manager.get_kernel(kernel_id)
        session = Session(config=kernel.session.config, key=kernel.session.key)
        stream = kernel.connect_iopub()
        self._streams[kernel_id] = stream
        stream.on_recv(functools.partial(self._hear, kernel_id, session))
        handover = handover_of(self._server, kernel_id)
        if handover is not None and handover.is_there:
            self._server.io_loop.call_later(_TAKEN_SECONDS, self._take, kernel_id)

    def _take(self, kernel_id: str) -> None:
        if kernel_id in self._streams:
            self._hearing.take(kernel_id)

    def _ignore(self, kernel_id: str) -> None:
        stream = self._streams.pop(kernel_id, None)
        if stream is not None:
            if _is_left(self._server, kernel_id):
                self._hearing.leave(kernel_id)
            else:
                self._hearing.forget(kernel_id)
            if not stream.closed():
                stream.close()

    def _note_request(self, connection: Any, raw: Any) -> None:
        """Remembers which cell a request is of."""
        data = raw if isinstance(raw, bytes) else str(raw).encode("utf-8", "replace")
        if b'"execute_request"' not in data or b'"cellId"' not in data:
            return
        header, metadata = parts_of(connection, raw)
        cell = metadata.get("cellId")
        if header.get("msg_type") == REQUEST and isinstance(cell, str):
            self._cells[str(header["msg_id"])] = cell
            while len(self._cells) > _REMEMBERED:
                self._cells.pop(next(iter(self._cells)))

    def _hear(self, kernel_id: str, session: Session, parts: list[Any]) -> None:
        """A message of a kernel; never raises."""
        try:
            if self._hearing.keeps_its_own(kernel_id):
                self._stop_later(kernel_id)
            else:
                self._overhearing.hear(kernel_id, session, parts)
        except Exception:
            self._log.debug("a message of kernel %s was not heard", kernel_id, exc_info=True)

    def _stop_later(self, kernel_id: str) -> None:
        """Not within the stream's own callback."""
        stream = self._streams.pop(kernel_id, None)
        if stream is not None:
            self._server.io_loop.add_callback(stream.close)

    def _file_of(self, kernel: str) -> str:
        """Where the kernel's notebook lies; empty for what is no notebook's."""
        path = self._path_of(kernel)
        try:
            return self._paths.file(path) if path else ""
        except RewindError:
            return ""


def parts_of(connection: Any, raw: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The header and the metadata of a message as a front end sends it."""
    from jupyter_server.services.kernels.connection import base

    form: Any = base
    if getattr(connection, "subprotocol", None) == "v1.kernel.websocket.jupyter.org":
        _, parts = form.deserialize_msg_from_ws_v1(raw)
        return json.loads(parts[0]), json.loads(parts[2])
    message = form.deserialize_binary_message(raw) if isinstance(raw, bytes) else json.loads(raw)
    return message.get("header") or {}, message.get("metadata") or {}


def handover_of(server: ServerApp, kernel_id: str) -> Handover | None:
    """Where a kernel is handed over to who hears it next; None for one that ends with its server.
    Never raises."""
    place = getattr(_provisioner(server, kernel_id), "place", None)
    if place is None:
        return None
    from jupyter_rewind.kernels.handover import Handover

    return Handover(place.folder)


def _is_left(server: ServerApp, kernel_id: str) -> bool:
    """Whether the server stops, and the kernel goes on."""
    return bool(getattr(_provisioner(server, kernel_id), "is_left", False))


def _provisioner(server: ServerApp, kernel_id: str) -> Any:
    try:
        kernel: Any = server.kernel_manager.get_kernel(kernel_id)
    except KeyError:
        return None
    return getattr(kernel, "provisioner", None)


def follow(owner: Any, name: str, act: Callable[[str], None]) -> None:
    """`act` follows the method `name` of this one object."""
    method = getattr(owner, name)

    @functools.wraps(method)
    def acted(kernel_id: str) -> Any:
        answer = method(kernel_id)
        try:
            act(kernel_id)
        except Exception:
            owner.log.debug("kernel %s is not heard", kernel_id, exc_info=True)
        return answer

    setattr(owner, name, acted)


def _looked_at(connection: type[Any], look: Callable[[Any, Any], None]) -> type[Any]:
    """The class of connections with `look` before each message to a kernel."""

    def handle_incoming_message(self: Any, message: Any) -> Any:
        try:
            look(self, message)
        except Exception:
            self.log.debug("a request was not looked at", exc_info=True)
        return connection.handle_incoming_message(self, message)

    body = {"handle_incoming_message": handle_incoming_message}
    return type(connection.__name__, (connection,), body)
