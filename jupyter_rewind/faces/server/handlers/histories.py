"""Whole histories: of one file, and of the files that were deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_rewind.errors import Storage
from jupyter_rewind.faces.server.handlers.base import RewindHandler, older
from jupyter_rewind.faces.server.handlers.kernels import find_pairs
from jupyter_rewind.faces.server.heartbeat import find_damage
from jupyter_rewind.faces.server.paths import is_notebook
from jupyter_rewind.faces.server.reading import take_present
from jupyter_rewind.faces.server.recorder import Recorder
from jupyter_rewind.faces.server.rendering import render_checkpoint, render_history
from jupyter_rewind.kernels.images.telling import image_json
from jupyter_rewind.lineage import images_of_notebook

if TYPE_CHECKING:
    from jupyter_rewind.workspace import Workspace


class HistoryHandler(RewindHandler):
    """GET the checkpoints of a file and the condition it is in."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        path, file = await self.query_file()
        limit, newest_first = self.query_number("limit"), self.query_flag("newest_first")
        before = self.query("before", "")
        service = self.service

        def act(workspace: Workspace) -> dict[str, Any]:
            service.begin_history(workspace, file)
            info = workspace.histories.overview(file)
            if limit is not None and not before:
                listing = workspace.histories.newest(file, limit)
            else:
                listing = workspace.histories.listing(file, newest_first=True)
            checkpoints = older(listing.checkpoints, before)[:limit]
            if not newest_first:
                checkpoints = checkpoints[::-1]
            images = images_of_notebook(workspace.repository, file)
            return {
                **render_history(info, service.paths),
                "path": path,
                "images": [
                    {**image_json(each), "path": path}
                    for each in (images[::-1] if newest_first else images)
                ],
                "checkpoints": [render_checkpoint(each) for each in checkpoints],
                "lost": list(listing.lost if newest_first else listing.lost[::-1]),
                "incomplete": list(listing.incomplete),
                "states": find_pairs(workspace, file, checkpoints),
                "condition": describe_condition(workspace, service.recorder, path, file),
            }

        service.follower.follow(file)
        self.answer(await self.view_soon(file, act))


class DeletedHandler(RewindHandler):
    """GET the deleted files of the served folder that can be brought back."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        paths = self.service.paths

        def act(workspace: Workspace) -> dict[str, Any]:
            paths.look_for_links()
            found = (info for info in workspace.deleted() if paths.shown_path(info.path))
            return {
                "deleted": [render_history(info, paths) for info in found],
                "incomplete": list(workspace.histories.incomplete()),
            }

        self.answer(await self.view_soon(None, act))


def describe_condition(
    workspace: Workspace, recorder: Recorder, path: str, file: str
) -> dict[str, Any]:
    """What is on disk now, and which checkpoint can mend it when it is damaged."""
    reading = recorder.readings.open(file)
    try:
        raw = take_present(reading, path)
    except Storage as error:
        return {"state": "invalid", "words": error.message, "last_good": None}
    if raw is None:
        state = "ok" if reading.too_large else "missing"
        words = "It is too large to be kept." if reading.too_large else "It is not on disk."
        return {"state": state, "words": words, "last_good": None}
    damage = find_damage(workspace, path, file, raw) if is_notebook(path) else None
    if damage is None:
        return {"state": "ok", "words": "", "last_good": None}
    return {"state": damage.condition, "words": damage.words, "last_good": damage.last_good}
