"""Edits that a browser hands over before they are saved."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_rewind.clock import user
from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.server import request
from jupyter_rewind.faces.server.drafting import (
    begin_draft,
    decode_update,
    render_draft,
    render_notebook,
    require_draft,
)
from jupyter_rewind.faces.server.handlers.base import RewindHandler, flag_of, text_of
from jupyter_rewind.faces.server.handlers.states import load_side

if TYPE_CHECKING:
    from jupyter_rewind.model.draft import Draft
    from jupyter_rewind.workspace import Workspace


class DraftsHandler(RewindHandler):
    """GET the drafts of a notebook or of all, POST a new one."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        if self.query("path", ""):
            path, file = await self.query_file()
            found = await self.view_soon(file, lambda space: _describe_all(space, path, file))
        else:
            found = await self.view_soon(None, self._served)
        self.answer({"drafts": found})

    def _served(self, workspace: Workspace) -> list[dict[str, Any]]:
        paths = self.service.paths
        root = paths.root.rstrip(os.sep) + os.sep
        return [
            render_draft(draft, paths.shown_path(draft.path) or "")
            for draft in workspace.drafts.all()
            if draft.path.startswith(root) and paths.shown_path(draft.path)
        ]

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body()
        path, file = await self.body_file(body)
        decode_update(body)
        recorder = self.service.recorder
        author = request.current_author() or user()
        reading = recorder.readings.open(file)

        def act(workspace: Workspace) -> Draft:
            return begin_draft(workspace, recorder, file, body, reading, author)

        self.answer(render_draft(await self.change(act, file), path), 201)


class DraftHandler(RewindHandler):
    """GET a draft as a notebook, POST an update of it, DELETE it."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        path, file = await self.query_file()

        def act(workspace: Workspace) -> dict[str, Any]:
            found = workspace.drafts.read(require_draft(workspace, file, name).id)
            notebook = render_notebook(found)
            return render_draft(found.draft, path) | {"notebook": notebook, "lost": found.lost}

        self.answer(await self.view_soon(file, act))

    @web.authenticated
    @authorized
    async def post(self, name: str) -> None:
        body = self.body()
        path, file = await self.body_file(body)
        ended = text_of(body, "ended", "")
        update = b"" if ended else decode_update(body)
        whole = flag_of(body, "whole")

        def act(workspace: Workspace) -> Draft:
            draft = require_draft(workspace, file, name)
            if ended:
                return workspace.drafts.end(draft.id, ended)
            return workspace.drafts.append(draft.id, update, whole=whole)

        # Not in line behind the saves of the file: an edit is kept before anything else.
        self.answer(render_draft(await self.change(act), path))

    @web.authenticated
    @authorized
    async def delete(self, name: str) -> None:
        _, file = await self.query_file()

        def act(workspace: Workspace) -> None:
            workspace.drafts.discard(require_draft(workspace, file, name).id)

        # Behind the saves of the file: a draft that was saved goes when its checkpoint is there.
        await self.change(act, file)
        self.set_status(204)
        self.finish()


class DraftDiffHandler(RewindHandler):
    """GET what a draft changes in the file on disk, in nbdime's format."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        path, file = await self.query_file()
        recorder = self.service.recorder

        def act(workspace: Workspace) -> dict[str, Any]:
            draft = require_draft(workspace, file, name)
            _, before = load_side(workspace, recorder, path, file, "present")
            after = workspace.drafts.read(draft.id).raw
            found = workspace.compare(before, after, ("present", "draft"))
            return {
                "differs": found.differs,
                "diff": found.operations,
                "text": found.text,
                "notebook": found.as_read(),
            }

        await self.compare(file, act, soon=True)


def _describe_all(workspace: Workspace, path: str, file: str) -> list[dict[str, Any]]:
    return [_describe(workspace, path, draft) for draft in workspace.drafts.of(file)]


def _describe(workspace: Workspace, path: str, draft: Draft) -> dict[str, Any]:
    """The draft, whether it holds what no save does, and why it cannot be read, if so."""
    told = render_draft(draft, path)
    try:
        found = workspace.drafts.read(draft.id)
        saved, cells = workspace.drafts.is_saved(found), workspace.drafts.count_changes(found)
        return told | {"unsaved": not saved, "cells": cells, "problem": ""}
    except RewindError as error:
        return told | {"unsaved": True, "cells": 0, "problem": str(error)}
