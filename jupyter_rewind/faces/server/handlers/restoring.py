"""Going back: a whole file or single cells, and files that were deleted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_rewind.errors import InvalidInput, NotFound, RewindError
from jupyter_rewind.faces.server import request
from jupyter_rewind.faces.server.handlers.base import RewindHandler, flag_of, text_of, texts_of
from jupyter_rewind.faces.server.handlers.kernels import ask_run, find_state
from jupyter_rewind.faces.server.rendering import render_checkpoint
from jupyter_rewind.faces.server.restoring import restore_file
from jupyter_rewind.model.checkpoint import Checkpoint

if TYPE_CHECKING:
    from jupyter_rewind.revival import RunState
    from jupyter_rewind.workspace import Restored


class RestoreHandler(RewindHandler):
    """POST: the file holds an earlier state; what it held is kept first."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body()
        path, file = await self.body_file(body)
        if body.get("cells") == []:
            raise InvalidInput(
                "cells is empty: name the cells to bring back, or leave cells out for the whole "
                "file. Nothing was changed."
            )
        output = text_of(body, "output", "").strip("/")
        if output:
            await self.service.paths.visible(output)
        state = live = None
        if flag_of(body, "state"):
            live, state = await self._restore_state(body, file, output)
        try:
            restored = await restore_file(
                self.service,
                path,
                text_of(body, "ref"),
                cells=texts_of(body, "cells"),
                output=output or None,
            )
        except Exception as error:
            # A file that holds the old state goes with the variables of then.
            is_done = isinstance(error, RewindError) and error.is_done
            words = "" if live is None or is_done else await _take_back(live)
            if isinstance(error, RewindError):
                error.hint = f"{error.hint} {words}".strip()
            raise
        self.answer({**describe_restored(restored, output or path), "state": state})

    async def _restore_state(
        self, body: Mapping[str, Any], file: str, output: str
    ) -> tuple[RunState, dict[str, Any]]:
        """The notebook's kernel is back at the same moment. Before the file: it may refuse."""
        if output or body.get("cells"):
            raise InvalidInput("state goes with the whole file: neither cells nor output.")
        ref = text_of(body, "ref")
        live, snapshot = await self.view(file, lambda workspace: find_state(workspace, file, ref))
        return live, await ask_run(live, "to", {"ref": snapshot})


async def _take_back(live: RunState) -> str:
    """The variables are as before, since the notebook could not follow; or what brings them."""
    try:
        await ask_run(live, "undo", {})
    except Exception as error:  # the failure that led here is told, and not this one
        return (
            f"The variables are those of that moment, and could not be taken back"
            f" ({getattr(error, 'message', error)}): `%rewind undo` in the notebook does it."
        )
    return "The variables are as they were."


class UndeleteHandler(RewindHandler):
    """POST: a deleted file, named by its path or its history, is back."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body()
        path, history = text_of(body, "path", ""), text_of(body, "history", "")
        if bool(path) == bool(history):
            raise InvalidInput("Say either path or history.")
        paths = self.service.paths
        target = await paths.visible(path) if path else await self._find(history)
        restored = await self.wait(
            self.service.desk.undelete(target, author=request.current_author())
        )
        real = os.path.realpath(restored.path)
        self.answer({**describe_restored(restored, paths.api_path(real) or path), "state": None})

    async def _find(self, history: str) -> str:
        """The history, if its file lay where the user may see it."""
        info = await self.view(None, lambda workspace: workspace.histories.overview(history))
        path = self.service.paths.api_path(info.path)
        if not path:
            raise NotFound(f"There is no history {history} here.")
        await self.service.paths.visible(path)
        return history


def describe_restored(restored: Restored, path: str) -> dict[str, Any]:
    """The state that came back and its condition, the new head, what was there before, and what the
    file lost."""
    return {
        "path": path,
        "source": render_checkpoint(restored.source),
        "checkpoint": _or_null(restored.checkpoint),
        "kept": _or_null(restored.kept),
        "lost": [each.id for each in restored.lost],
        "kept_nearly": restored.kept_nearly,
        "not_kept": list(restored.not_kept),
        "condition": {
            "state": restored.condition.state,
            "words": restored.condition.words,
            "last_good": restored.last_good.id if restored.last_good else None,
        },
    }


def _or_null(checkpoint: Checkpoint | None) -> dict[str, Any] | None:
    return None if checkpoint is None else render_checkpoint(checkpoint)
