"""Kernels that outlive their server: started through the host, found again, left running.

Finding them happens before the server answers its first request, so that a page which waits for
its kernel finds it under the id that it knows.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tornado.ioloop import PeriodicCallback

from jupyter_rewind.errors import RewindError
from jupyter_rewind.kernels.hosting.process import FOLDER
from jupyter_rewind.settings import Rewind

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

    from jupyter_rewind.kernels.hosting.record import Hosted

_FACTORY, _CHOICE = "KernelProvisionerFactory", "default_provisioner_name"
_LOOK_MS = 3000
_ENVIRONMENT = "JUPYTER_DEFAULT_PROVISIONER_NAME"


def offer_host(server: ServerApp, settings: Rewind) -> bool:
    """Whether kernels of this server that name no provisioner are started through the host: the
    settings ask for it, and the user chose no other."""
    if not settings.kernels_host:
        return False
    from jupyter_client.provisioning.factory import KernelProvisionerFactory

    from jupyter_rewind.kernels.hosting.provisioner import IS_SUPPORTED, NAME

    if not IS_SUPPORTED:
        server.log.warning(
            "Jupyter Rewind starts kernels as always: kernels.host needs Linux. "
            "States of variables are kept here, too."
        )
        return False
    if _CHOICE in server.config.get(_FACTORY, {}) or os.environ.get(_ENVIRONMENT):
        return False
    module = "jupyter_rewind.kernels.hosting.provisioner:HostProvisioner"
    entry = EntryPoint(NAME, module, KernelProvisionerFactory.GROUP_NAME)
    KernelProvisionerFactory.provisioners.setdefault(NAME, entry)
    server.config[_FACTORY][_CHOICE] = NAME
    return True


class HostedKernels:
    """The kernels of one server that are hosted. Nothing here keeps a server from starting."""

    def __init__(self, server: ServerApp, settings: Rewind) -> None:
        self._server = server
        self._settings = settings
        self._log: logging.Logger = server.log
        self._stops = False
        self._taking = asyncio.Lock()

    @property
    def _manager(self) -> Any:
        return self._server.kernel_manager

    def install(self) -> None:
        """Sessions are remembered, kernels of an earlier server are this one's, and some of them
        stay when it stops."""
        if not hasattr(self._manager, "start_watching_activity"):
            return  # a gateway's kernels: another server's to host
        sessions: Any = self._server.session_manager
        sessions.save_session = self._remembering(sessions.save_session)
        sessions.update_session = self._remembering(sessions.update_session)
        if self._settings.kernels_outlive:
            self._manager.shutdown_all = self._leaving(self._manager.shutdown_all)
        self._adopt_all()
        if self._settings.kernels_images:
            self._server.io_loop.add_callback(PeriodicCallback(self.take_over, _LOOK_MS).start)

    async def take_over(self) -> None:
        """Kernels that came back from images while this server runs are its own, too. Never
        raises."""
        if self._stops or not hasattr(self._manager, "start_watching_activity"):
            return
        async with self._taking:
            try:
                await self._adopt(self._find(Path(self._server.runtime_dir)))
            except (RewindError, OSError) as error:
                self._log.warning("Kernels out of images were not looked for: %s", error)

    def _adopt_all(self) -> None:
        runtime = Path(self._server.runtime_dir)
        if not (runtime / FOLDER).is_dir():
            return  # starting a server costs next to nothing
        from jupyter_rewind.kernels.hosting.record import drop_dead

        try:
            drop_dead(runtime)
            found = self._find(runtime)
        except (RewindError, OSError) as error:
            self._log.warning("Kernels of an earlier server were not looked for: %s", error)
            return
        if not found:
            return
        loop = self._server.io_loop
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            loop.run_sync(functools.partial(self._adopt, found))
        else:
            loop.add_callback(self._adopt, found)

    def _find(self, runtime: Path) -> list[Hosted]:
        from jupyter_rewind.kernels.hosting.record import places

        found = []
        for place in places(runtime):
            try:
                hosted = place.read()
                if hosted is None or not hosted.is_alive or place.is_taken:
                    continue
                if hosted.kernel in self._manager:
                    continue
                if hosted.root == self._manager.root_dir and os.path.exists(hosted.connection):
                    found.append(hosted)
            except RewindError as error:
                self._log.warning("Kernel %s was not taken over: %s", place.kernel, error)
        return found

    async def _adopt(self, found: list[Hosted]) -> None:
        for hosted in found:
            try:
                await self._adopt_one(hosted)
            except Exception as error:  # one kernel that does not come costs itself alone
                self._log.warning("Kernel %s was not taken over: %s", hosted.kernel, error)

    async def _adopt_one(self, hosted: Hosted) -> None:
        sessions: Any = self._server.session_manager
        session = hosted.session
        words: dict[str, Any] = {}
        if session is not None:
            words["env"] = sessions.get_kernel_env(session.path, session.name)
        with self._through_the_host(hosted.kernel):
            await self._manager.start_kernel(
                kernel_id=hosted.kernel,
                kernel_name=hosted.name,
                path=os.path.relpath(hosted.cwd, self._manager.root_dir),
                **words,
            )
        if session is not None and not await sessions.session_exists(session.path):
            await sessions.save_session(
                session.id,
                path=session.path,
                name=session.name,
                type=session.type,
                kernel_id=hosted.kernel,
            )
        self._log.info("Kernel taken over from an earlier server: %s", hosted.kernel)

    @contextmanager
    def _through_the_host(self, kernel_id: str) -> Iterator[None]:
        """In the block, the kernel with this id is the host's to start, whatever is chosen for
        others by now: anybody else would start another one in its place, over its connection
        file."""
        from jupyter_rewind.kernels.hosting.provisioner import HostProvisioner

        manager, prepare = self._manager, self._manager.pre_start_kernel

        def prepared(*words: Any) -> Any:
            found = prepare(*words)
            kernel, _, name = found
            if name == kernel_id:
                kernel.provisioner = HostProvisioner(
                    kernel_id=name, kernel_spec=kernel.kernel_spec, parent=kernel
                )
            return found

        manager.pre_start_kernel = prepared
        try:
            yield
        finally:
            del manager.pre_start_kernel

    def _remembering(self, act: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(act)
        async def acted(session_id: str, *args: Any, **kwargs: Any) -> Any:
            answer = await act(session_id, *args, **kwargs)
            await self._remember(session_id)
            return answer

        return acted

    async def _remember(self, session_id: str) -> None:
        """The record of its kernel tells of the session; never raises."""
        try:
            found = await self._server.session_manager.get_session(session_id=session_id)
            kernel = self._manager.get_kernel(found["kernel"]["id"])
            remember = getattr(kernel.provisioner, "remember", None)
            if remember is not None:
                from jupyter_rewind.kernels.hosting.record import HostedSession

                session = HostedSession(
                    session_id, found["path"] or "", found["name"] or "", found["type"] or ""
                )
                remember(session=session)
        except asyncio.CancelledError:
            raise
        except Exception:
            self._log.debug("a session was not written down", exc_info=True)

    def _leaving(self, act: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(act)
        async def acted(*args: Any, **kwargs: Any) -> None:
            self._stops = True
            for kernel_id in list(self._manager.list_kernel_ids()):
                self._leave(kernel_id)
            await act(*args, **kwargs)

        return acted

    def _leave(self, kernel_id: str) -> None:
        """The kernel goes on, where it is hosted, and this server knows nothing more of it."""
        try:
            kernel: Any = self._manager.get_kernel(kernel_id)
            let_go = getattr(kernel.provisioner, "let_go", None)
            if let_go is None or not kernel.has_kernel:
                return
            kernel.stop_restarter()
            kernel.provisioner.is_left = True
            self._manager.stop_watching_activity(kernel_id)
            self._manager.stop_buffering(kernel_id)
            # A collected manager would take the connection file along.
            kernel.cleanup_connection_file = lambda: None
            let_go()
            self._manager.remove_kernel(kernel_id)
            self._log.info("Kernel left running: %s", kernel_id)
        except Exception as error:
            self._log.warning("Kernel %s is stopped with the server: %s", kernel_id, error)
