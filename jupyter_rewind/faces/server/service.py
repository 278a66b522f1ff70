"""Everything that serves one contents manager, wired together."""

from __future__ import annotations

import asyncio
import atexit
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_server.serverapp import ServerApp
from jupyter_server.services.contents.manager import ContentsManager

from jupyter_rewind.faces.server import request
from jupyter_rewind.faces.server.announcer import CHECKPOINT_EVENTS, Announcer
from jupyter_rewind.faces.server.autosave import offer_autosave_interval
from jupyter_rewind.faces.server.calls import explain_failed_reads
from jupyter_rewind.faces.server.catalogue import CatalogueWriter
from jupyter_rewind.faces.server.collaboration import is_collaborative
from jupyter_rewind.faces.server.desk import Desk
from jupyter_rewind.faces.server.follower import Follower
from jupyter_rewind.faces.server.guard import Guard
from jupyter_rewind.faces.server.heartbeat import Heartbeat
from jupyter_rewind.faces.server.listener import Listener
from jupyter_rewind.faces.server.paths import Paths, is_notebook
from jupyter_rewind.faces.server.quota import QuotaWatch
from jupyter_rewind.faces.server.recorder import Recorder
from jupyter_rewind.faces.server.replicas import Replicas
from jupyter_rewind.faces.server.stocktaking import StockTaking
from jupyter_rewind.faces.server.upkeep import Upkeep
from jupyter_rewind.model.checkpoint import STOCK_FOLDER, Checkpoint
from jupyter_rewind.settings import Rewind

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_rewind.faces.server.absence import Deputy
    from jupyter_rewind.faces.server.reading import Stamp
    from jupyter_rewind.kernels.hearing import Hearing
    from jupyter_rewind.workspace import Workspace

_ATTRIBUTE = "_jupyter_rewind_service"
_GUARDED = "_jupyter_rewind_guarded"


class Service:
    """One contents manager's recorder and all who feed or ask it."""

    def __init__(
        self,
        manager: ContentsManager,
        settings: Rewind,
        log: logging.Logger,
        server: ServerApp | None = None,
    ) -> None:
        self.settings = settings
        self.log = log
        self.server = server
        self.manager = manager
        self.is_started = False
        self.paths = Paths(manager)
        self.announcer = Announcer(manager.event_logger, log)
        self.recorder = Recorder(settings, log)
        self.desk = Desk(self.recorder, self.begin_history)
        self.heartbeat = Heartbeat(self.recorder, self.paths, self.announcer)
        self.guard = Guard(self.recorder, self.paths, window_seconds=self._window_seconds)
        self.quota = QuotaWatch(self.recorder, self.announcer)
        self.upkeep = Upkeep(self.recorder, self.quota.look)
        self.follower = Follower(self.recorder, self._is_changing, log)
        self.replicas = Replicas(settings, self.announcer, log, self.recorder.calm_in)
        self.catalogue = CatalogueWriter(self.recorder, self.replicas, log)
        self.hearing: Hearing | None = None
        self.deputy: Deputy | None = None
        self.recorder.prepare_history = self.take_stock_checkpoint
        self.recorder.on_checkpoint = self._announce_own
        self.follower.on_news = self._announce

    def take_stock_checkpoint(
        self, workspace: Workspace, file: str, saved: Stamp | None = None
    ) -> bool:
        """Whether what Jupyter kept of `file` before us began its history. What it kept of the very
        state that was just `saved` is no older one: another checkpoints class makes such a copy."""
        if not (is_notebook(file) or self.settings.notebooks_text_files):
            return False
        folder = _stock_folder(self.manager)
        if saved is not None and not self.has_checkpoints_class:
            from jupyter_rewind.workspace import read_stock

            stock = read_stock(Path(file), folder, saved.size, workspace.histories)
            if stock is not None and stock.document.mtime_ns == saved.mtime_ns:
                return False
        return workspace.take_stock_checkpoint(file, folder)

    def begin_history(self, workspace: Workspace, file: str) -> bool:
        """Whether `file`, which somebody asks for, has a history only now: that of where it was
        before it was moved outside Jupyter, or what Jupyter kept of it before us."""
        from jupyter_rewind.workspace import follow_file

        if follow_file(workspace.histories, Path(file), self.settings.notebooks_max_file_mb << 20):
            return True
        return self.take_stock_checkpoint(workspace, file)

    @property
    def keeps(self) -> bool:
        """Whether saves through this contents manager are kept at all."""
        return self.paths.is_local

    @property
    def has_checkpoints_class(self) -> bool:
        """Whether Jupyter's own checkpoints are ours, and not a class the user chose."""
        from jupyter_rewind.faces.server.checkpoints import (
            AsyncRewindCheckpoints,
            RewindCheckpoints,
        )

        return isinstance(self.manager.checkpoints, (AsyncRewindCheckpoints, RewindCheckpoints))

    def adopt(self, manager: ContentsManager) -> None:
        """`manager` is the one that is served: an extension may replace the server's first one."""
        self.manager = manager
        self.paths.use(manager)
        if self.is_started and self.keeps and not getattr(manager, _GUARDED, False):
            setattr(manager, _GUARDED, True)
            self.guard.install(manager)
            StockTaking(self.recorder, self.paths, _stock_folder(manager)).install(manager)
            explain_failed_reads(manager, self.heartbeat.explain)

    def listen_to_kernels(self, path_of: Callable[[str], str]) -> None:
        """What kernels without Rewind put out is kept, too; `path_of` knows their notebooks."""
        if self.server is None or not self.keeps:
            return
        from jupyter_rewind.faces.server.absence import Deputy
        from jupyter_rewind.faces.server.ear import Ear, handover_of
        from jupyter_rewind.faces.server.kernels import kernel_environment
        from jupyter_rewind.kernels.hearing import Hearing

        server = self.server
        root = str(getattr(server.kernel_manager, "root_dir", ""))
        self.deputy = Deputy(server.runtime_dir, root, kernel_environment(self.settings))
        self.hearing = Hearing(
            lambda: self.recorder.workspace().repository,
            max_output_bytes=self.settings.kernels_max_output_mb << 20,
            handover_of=lambda kernel: handover_of(server, kernel),
            is_left=self.settings.kernels_outlive,
            when_handed=self.deputy.start,
        )
        Ear(server, self.hearing, self.paths, path_of).install()

    def start(self) -> None:
        """Saves and deletions are guarded and heard of, and the store is opened in a thread. To be
        called on the loop, when the server's other extensions are all there."""
        if self.is_started:
            return
        self.is_started = True
        self.announcer.use_loop(asyncio.get_running_loop())
        if self.server is not None:
            offer_autosave_interval(self.server.web_app, self.settings, self.log)
            self.manager = self.server.web_app.settings.get("contents_manager", self.manager)
        self.adopt(self.manager)
        if self.keeps:
            self._listen()
            self.recorder.start()
            self.upkeep.start()
            self.follower.start()
            self.replicas.start()
            self.catalogue.start()
            atexit.register(self._stop_late)
        self._tell_limits()

    def _tell_limits(self) -> None:
        if not self.keeps:
            self.log.warning(
                "Jupyter Rewind keeps no checkpoints: %s keeps its files elsewhere than on a "
                "local file system.",
                type(self.manager).__name__,
            )
        elif not self.has_checkpoints_class:
            self.log.info(
                "Jupyter Rewind keeps each save; Jupyter's own checkpoints stay with %s.",
                type(self.manager.checkpoints).__name__,
            )

    async def stop(self) -> None:
        """What was saved is kept, or the time for it is up."""
        atexit.unregister(self._stop_late)
        await asyncio.sleep(0)  # events emitted just now reach the listener
        self.upkeep.stop()
        self.follower.stop()
        if self.hearing is not None:
            await asyncio.to_thread(self.hearing.stop)
        if self.deputy is not None:
            self.deputy.stop(is_needed=self.settings.kernels_outlive)
        await asyncio.to_thread(self.heartbeat.stop)
        await asyncio.to_thread(self.recorder.stop)
        await asyncio.to_thread(self.replicas.stop)
        await asyncio.to_thread(self.catalogue.stop)

    def _stop_late(self) -> None:
        """An interrupt without a terminal, as hubs send it, ends a server without stopping it."""
        self.recorder.stop()
        self.replicas.stop()
        self.catalogue.stop()

    def _listen(self) -> None:
        listener = Listener(
            self.recorder,
            self.paths,
            self.heartbeat,
            follow=self.follower.follow,
            follows_moves=lambda: not self.has_checkpoints_class,
            window_seconds=self._window_seconds,
        )
        self.manager.event_logger.add_listener(
            schema_id=self.manager.event_schema_id, listener=listener.hear
        )

    def _window_seconds(self) -> float:
        """In how many seconds the save that happens now may have one checkpoint, or 0: a live
        document saves itself a second after each edit."""
        if request.requested_path() is not None or not is_collaborative(self.server):
            return 0.0
        return float(self.settings.notebooks_autosave_seconds or 10)

    def _is_changing(self) -> bool:
        return self.recorder.is_working or self.upkeep.is_running

    def _announce_own(self, checkpoint: Checkpoint, action: str) -> None:
        self.follower.note(checkpoint, action)
        self._announce(checkpoint, action)

    def _announce(self, checkpoint: Checkpoint, action: str) -> None:
        # One for each name that the file goes by: who shows it compares with the one it opened.
        for path in self.paths.api_paths(checkpoint.path) or [""]:
            self.announcer.announce(
                CHECKPOINT_EVENTS,
                {
                    "action": action,
                    "path": path,
                    "checkpoint": checkpoint.id,
                    "reason": str(checkpoint.reason),
                    "author": checkpoint.author,
                },
            )


def service_for(
    manager: ContentsManager, settings: Rewind | None = None, server: ServerApp | None = None
) -> Service:
    """The service of this contents manager's server, made on first demand.

    Raises InvalidInput when the settings cannot be understood.
    """
    if server is None and isinstance(manager.parent, ServerApp):
        server = manager.parent
    owner = manager if server is None else server
    service: Service | None = getattr(owner, _ATTRIBUTE, None)
    if service is None:
        settings = settings or Rewind.load(config=manager.config)
        service = Service(manager, settings, manager.log, server)
        setattr(owner, _ATTRIBUTE, service)
    if service.manager is not manager:
        service.adopt(manager)
    return service


def _stock_folder(manager: ContentsManager) -> str:
    chosen = manager.config.get("FileCheckpoints", {}).get("checkpoint_dir", STOCK_FOLDER)
    return str(chosen) if isinstance(chosen, str) and chosen else STOCK_FOLDER
