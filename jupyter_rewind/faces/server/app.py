"""The server extension: on after installation, nothing to configure.

Linking makes our checkpoints class the contents manager's default unless the user chose another.
The store is opened in a thread after the server has started, so that starting costs next to
nothing. A mistake in the settings is told and left out, unless it is in where or how the store
lies: then the extension stays off. A store that cannot be opened is told by the health endpoint
and costs no save.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.contents.fileio import FileManagerMixin
from jupyter_server.services.contents.manager import AsyncContentsManager

from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.server.autoimages import AutoImages
from jupyter_rewind.faces.server.ear import CONNECTION
from jupyter_rewind.faces.server.hibernation import Hibernation
from jupyter_rewind.faces.server.hosting import HostedKernels, offer_host
from jupyter_rewind.faces.server.imaging import ImageDesk
from jupyter_rewind.faces.server.kernels import KernelGuide
from jupyter_rewind.faces.server.listening import listen_as_set
from jupyter_rewind.faces.server.service import Service, service_for
from jupyter_rewind.faces.server.starter import end_with_starter
from jupyter_rewind.settings import Rewind

_CHOICES = ("checkpoints_class", "checkpoints")


class RewindExtension(ExtensionApp):
    """Every save of a notebook can be brought back."""

    name = "jupyter_rewind"
    description = "Keeps a checkpoint of every save, and brings each of them back."
    load_other_extensions = True
    classes = [ServerApp, Rewind]  # noqa: RUF012  # a traitlets convention

    rewind: Rewind | None = None
    refusal: RewindError | None = None
    service: Service | None = None
    images: ImageDesk | None = None

    def _link_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        settings = Rewind.load_leniently(config=serverapp.config)
        for problem in settings.problems:
            if problem.stops:
                self.refusal = problem.error
                serverapp.log.error("Jupyter Rewind is off, no save is kept: %s", problem.error)
            else:
                serverapp.log.warning("Jupyter Rewind goes on without: %s", problem.error)
        end_with_starter(serverapp.log, settings.serve_shutdown_seconds)
        if self.refusal is None:
            self.rewind = settings
            offer_checkpoints_class(serverapp)
            offer_host(serverapp, settings)
        super()._link_jupyter_server_extension(serverapp)

    def initialize_settings(self) -> None:
        """The server's service is there, and starts with the loop."""
        server = self.serverapp
        if server is None or self.rewind is None:
            return
        service = service_for(server.contents_manager, self.rewind, server)
        service.announcer.register_schemas()
        server.io_loop.add_callback(service.start)
        self._tell_root()
        if self.rewind.jusnap_http_port or self.rewind.jusnap_read_timeout_seconds:
            server.io_loop.add_callback(listen_as_set, server, self.rewind)
        self.service = service
        if self.rewind.kernels_enabled:
            guide = KernelGuide(server, self.rewind, service.paths)
            guide.install()
            service.listen_to_kernels(guide.path_of)
        hosted = HostedKernels(server, self.rewind)
        self.images = ImageDesk(
            server, self.rewind, service.paths, service.announcer, hosted.take_over
        )
        if self.rewind.kernels_images:
            AutoImages(server, self.images).install()
            Hibernation(server, self.images).install()
        hosted.install()
        # Jupyter writes our copy of its settings back over its own when this returns.
        self.settings[CONNECTION] = server.web_app.settings.get(CONNECTION)

    def _tell_root(self) -> None:
        """Pages know which folder is served: at one address there may be one after the other."""
        served: dict[str, Any] = self.settings.setdefault("page_config_data", {})
        served["rewindRoot"] = str(self.settings.get("server_root_dir", ""))

    def initialize_handlers(self) -> None:
        """The REST interface is served."""
        from jupyter_rewind.faces.server.handlers import routes

        self.handlers.extend(routes(self))

    async def stop_extension(self) -> None:
        """What was saved is kept before the server goes, within a bounded time."""
        if self.images is not None:
            await self.images.stop()
        if self.service is not None:
            await self.service.stop()

    def current_activity(self) -> dict[str, int] | None:
        """Work that is not stored yet keeps an idle server from being culled."""
        queued = self.service.recorder.queued if self.service is not None else 0
        return {"queued": queued} if queued else None


def offer_checkpoints_class(serverapp: ServerApp) -> bool:
    """Whether our checkpoints class is now the default of the server's contents manager.

    It is not where the user chose one for any class the manager is made of, nor where the manager
    does not keep its files on a local file system.
    """
    manager_class: type[Any] = serverapp.contents_manager_class
    if not issubclass(manager_class, FileManagerMixin):
        return False
    for ancestor in manager_class.__mro__:
        if any(choice in serverapp.config.get(ancestor.__name__, {}) for choice in _CHOICES):
            return False
    kind = "Async" if issubclass(manager_class, AsyncContentsManager) else ""
    chosen = f"jupyter_rewind.faces.server.checkpoints.{kind}RewindCheckpoints"
    serverapp.config[manager_class.__name__].checkpoints_class = chosen
    return True
