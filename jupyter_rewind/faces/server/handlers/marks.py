"""Labels and pins: what a person puts on a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_rewind.faces.server.handlers.base import RewindHandler, text_of
from jupyter_rewind.faces.server.rendering import render_checkpoint

if TYPE_CHECKING:
    from jupyter_rewind.workspace import Workspace


class _MarkHandler(RewindHandler):
    async def mark(self, file: str, ref: str, verb: str, *words: str) -> None:
        def act(workspace: Workspace) -> dict[str, Any]:
            checkpoint = workspace.histories.resolve(file, ref)
            getattr(workspace.histories, verb)(checkpoint, *words)
            return render_checkpoint(workspace.histories.get(file, checkpoint.id))

        self.answer(await self.change(act, file))


class LabelsHandler(_MarkHandler):
    """POST a label on a checkpoint, DELETE it again."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body()
        _, file = await self.body_file(body)
        await self.mark(file, text_of(body, "ref"), "label", text_of(body, "label"))

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        _, file = await self.query_file()
        await self.mark(file, self.query("ref"), "unlabel", self.query("label"))


class PinsHandler(_MarkHandler):
    """POST a pin on a checkpoint, so that it never expires, DELETE it again."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body()
        _, file = await self.body_file(body)
        await self.mark(file, text_of(body, "ref"), "pin")

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        _, file = await self.query_file()
        await self.mark(file, self.query("ref"), "unpin")
