"""Labels and pins: what a person puts on a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_rewind.faces.server.handlers.base import RewindHandler, text_of
from jupyter_rewind.faces.server.rendering import render_checkpoint, render_labelled

if TYPE_CHECKING:
    from jupyter_rewind.model.checkpoint import Checkpoint
    from jupyter_rewind.workspace import Workspace


class _MarkHandler(RewindHandler):
    async def mark(self, file: str, act: Callable[[Workspace], Checkpoint]) -> None:
        """The answer is what `act` gives, as it is told."""

        def marked(workspace: Workspace) -> dict[str, Any]:
            done = act(workspace)
            self.service.recorder.tell(done, "marked")
            return render_checkpoint(workspace.histories.told(done))

        self.answer(await self.change(marked, file))


class LabelsHandler(_MarkHandler):
    """POST a label on a checkpoint, DELETE it again."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body()
        _, file = await self.body_file(body)
        ref, label = text_of(body, "ref"), text_of(body, "label")

        def act(workspace: Workspace) -> dict[str, Any]:
            named = workspace.label(file, ref, label)
            for one in (named.checkpoint, named.moved_from):
                if one is not None:
                    self.service.recorder.tell(one, "marked")
            return render_labelled(workspace.histories.told(named.checkpoint), named.moved_from)

        self.answer(await self.change(act, file))

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        _, file = await self.query_file()
        ref, label = self.query("ref"), self.query("label")
        await self.mark(file, lambda workspace: workspace.unlabel(file, ref, label))


class PinsHandler(_MarkHandler):
    """POST a pin on a checkpoint, so that it never expires, DELETE it again."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body()
        _, file = await self.body_file(body)
        ref = text_of(body, "ref")
        await self.mark(file, lambda workspace: workspace.pin(file, ref))

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        _, file = await self.query_file()
        ref = self.query("ref")
        await self.mark(file, lambda workspace: workspace.unpin(file, ref))
