"""Kernels of this server: they use the server's store, and learn where their notebook lies.

A kernel reads its settings as every program of the user does, so only what the server's own
configuration says has to be handed to it, in its environment. A rename reaches a running kernel by
a note beside its connection file, read before its next cell.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async

from jupyter_rewind.errors import RewindError
from jupyter_rewind.settings import Rewind, describe, environment_name

if TYPE_CHECKING:
    from jupyter_events import EventLogger
    from jupyter_server.serverapp import ServerApp

    from jupyter_rewind.faces.server.paths import Paths

_CONFIGURED = "server configuration"


class KernelGuide:
    """Tells kernels what their server knows. Nothing here can keep a kernel from starting."""

    def __init__(self, server: ServerApp, settings: Rewind, paths: Paths) -> None:
        self._server = server
        self._paths = paths
        self._environment = kernel_environment(settings)
        self._log: logging.Logger = server.log
        self._noted: dict[str, str] = {}

    def install(self) -> None:
        """Kernels that start from now on, and sessions that change, are told."""
        manager = self._server.kernel_manager
        if self._environment:
            _wrap(manager, "start_kernel", self._with_environment)
        sessions = self._server.session_manager
        for name in ("save_session", "update_session"):
            _wrap(sessions, name, self._telling_sessions)
        contents = self._server.contents_manager
        contents.event_logger.add_listener(schema_id=contents.event_schema_id, listener=self._hear)
        # Starting a server costs next to nothing: this is for when it has started.
        self._server.io_loop.add_callback(self._tidy)

    def path_of(self, kernel_id: str) -> str:
        """The API path of the kernel's notebook; empty where it has none."""
        return self._noted.get(kernel_id, "")

    def _tidy(self) -> None:
        from jupyter_rewind.revival import drop_stale_notices

        try:
            drop_stale_notices(Path(self._server.runtime_dir))
        except RewindError as error:
            self._log.debug("old notes to kernels stay: %s", error)

    def _with_environment(self, start: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(start)
        def started(*args: Any, **kwargs: Any) -> Any:
            given = kwargs.get("env") or os.environ
            return start(*args, **{**kwargs, "env": {**given, **self._environment}})

        return started

    def _telling_sessions(
        self, act: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(act)
        async def acted(*args: Any, **kwargs: Any) -> Any:
            answer = await act(*args, **kwargs)
            await self._tell_all({})
            return answer

        return acted

    async def _hear(self, logger: EventLogger, schema_id: str, data: dict[str, Any]) -> None:
        """A notebook, or a folder with notebooks, was renamed; never raises."""
        if data.get("action") == "rename":
            old, new = data.get("source_path", "").strip("/"), data.get("path", "").strip("/")
            await self._tell_all({old: new})

    async def _tell_all(self, renamed: Mapping[str, str]) -> None:
        """Every kernel with a session knows where its notebook lies."""
        try:
            sessions = await ensure_async(self._server.session_manager.list_sessions())
            for session in sessions:
                if session.get("type") == "notebook":
                    self._tell(session["kernel"]["id"], _moved(session["path"], renamed))
        except asyncio.CancelledError:
            raise
        except Exception:
            self._log.debug("kernels were not told of their notebooks", exc_info=True)

    def _tell(self, kernel_id: str, path: str) -> None:
        if self._noted.get(kernel_id) == path:
            return
        from jupyter_rewind.revival import leave_notice

        try:
            file = self._paths.file(path)
            kernel = self._server.kernel_manager.get_kernel(kernel_id)
            leave_notice(Path(kernel.connection_file), file)
            self._noted[kernel_id] = path
        except (RewindError, KeyError) as error:
            self._log.debug("kernel %s was not told of %s: %s", kernel_id, path, error)


def kernel_environment(settings: Rewind) -> dict[str, str]:
    """What a kernel would not find out by itself: the settings of the server's configuration."""
    return {
        environment_name(row.key): str(row.value)
        for row in describe(settings)
        if row.origin == _CONFIGURED
    }


def _moved(path: str, renamed: Mapping[str, str]) -> str:
    """Where what lay at `path` lies; it may be inside a renamed folder."""
    path = path.strip("/")
    for old, new in renamed.items():
        if path == old:
            return new
        if path.startswith(f"{old}/"):
            return f"{new}/{path[len(old) + 1 :]}"
    return path


def _wrap(owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
    """The method `name` of this one object is wrapped."""
    method = getattr(owner, name, None)
    if method is not None:
        setattr(owner, name, wrap(method))
