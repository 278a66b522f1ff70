"""What cells put out while nobody looked: a front end that opens the notebook asks for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_rewind.errors import NotFound
from jupyter_rewind.faces.server.handlers.base import RewindHandler
from jupyter_rewind.faces.server.rendering import moment_text
from jupyter_rewind.revival import Revival, Unseen

if TYPE_CHECKING:
    from jupyter_rewind.workspace import Workspace


class OutputsHandler(RewindHandler):
    """GET the executions of a notebook that went on after it was saved."""

    auth_resource = "kernels"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        path, file = await self.query_file()
        since = self.query_number("since")
        since_ns = _written_ns(path, file) if since is None else since * 1_000_000
        hearing = self.service.hearing
        heard = frozenset() if hearing is None else hearing.running

        def act(workspace: Workspace) -> list[dict[str, Any]]:
            workspace.repository.refresh()
            revival = Revival(workspace.repository, workspace.histories)
            return [_render(each) for each in revival.unseen(file, since_ns, heard)]

        found = await self.wait(self.service.desk.view(act))
        self.answer({"executions": found})


def _written_ns(path: str, file: str) -> int:
    try:
        return os.stat(file).st_mtime_ns
    except OSError as error:
        raise NotFound(f"There is no file {path}.") from error


def _render(unseen: Unseen) -> dict[str, Any]:
    execution = unseen.execution
    finished = execution.finished_ns
    return {
        "id": execution.id,
        "cell": execution.cell_id,
        "count": execution.count,
        "source": execution.source,
        "status": execution.status,
        "running": unseen.running,
        "started": moment_text(execution.started_ns),
        "finished": None if finished is None else moment_text(finished),
        "outputs": list(execution.outputs),
        "truncated": execution.truncated,
    }
