"""Which checkpoint had this: search in every state of a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.faces.server.desk import PATIENCE_SECONDS, wait_for
from jupyter_rewind.faces.server.handlers.base import RewindHandler
from jupyter_rewind.faces.server.rendering import render_checkpoint

if TYPE_CHECKING:
    from jupyter_rewind.workspace import Workspace


class SearchHandler(RewindHandler):
    """GET each distinct state of a cell in which a text stands, with when it was there; with a
    limit those that were there last."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        path, file = await self.query_file()
        text, regex = self.query("text"), self.query_flag("regex")
        limit = self.query_number("limit")
        if not text:
            raise InvalidInput("text must not be empty.")

        def act(workspace: Workspace) -> dict[str, Any]:
            found = workspace.search(file, text, regex=regex)
            told = list(found.hits)
            if limit is not None:
                told = sorted(told, key=lambda hit: hit.last.order, reverse=True)[:limit]
            hits = [
                {
                    "first": render_checkpoint(hit.first),
                    "last": render_checkpoint(hit.last),
                    "cell": hit.cell_id,
                    "line": hit.line,
                    "text": hit.text,
                }
                for hit in told
            ]
            problems = list(found.problems)
            return {"path": path, "count": len(found.hits), "hits": hits, "problems": problems}

        desk = self.service.desk
        await wait_for(desk.settle(file), PATIENCE_SECONDS)
        found = await self.wait_in_queue(desk.search(act))
        if found is not None:
            self.answer(found)
