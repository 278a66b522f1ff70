"""How things stand: what the store holds, what works and what does not, and what can be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_rewind import __version__
from jupyter_rewind.errors import NotFound, RewindError
from jupyter_rewind.faces.server.handlers.base import RewindHandler
from jupyter_rewind.faces.server.rendering import render_size, render_stats
from jupyter_rewind.faces.server.statuses import describe

OPENAPI = Path(__file__).parent.parent / "openapi.yaml"


class StatsHandler(RewindHandler):
    """GET how many bytes lie in the store, how much of it is shared, and for which notebooks."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        paths = self.service.paths
        has_notebooks = self.query_flag("notebooks")
        total = await self.view_soon(None, lambda workspace: render_stats(workspace.stats()))
        rows, elsewhere = None, None
        if has_notebooks:
            desk = self.service.desk
            sizes = await self.wait(desk.search(lambda workspace: workspace.sizes()))
            found = [render_size(each, paths) for each in sizes]
            rows = [each for each in found if each["path"]]
            elsewhere = len(found) - len(rows)
        state = {
            "quota": self.service.quota.row(),
            "replicas": self.service.replicas.rows(),
        }
        self.answer({**total, "notebooks": rows, "elsewhere": elsewhere, **state})


class HealthHandler(RewindHandler):
    """GET what works and what does not. It always answers, that is its purpose."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        extension = self.extension
        if extension.service is None:
            self.answer(_render_off(extension.refusal))
            return
        service = extension.service
        recorder = service.recorder
        fault = recorder.fault
        notices = _list_notices(service)
        self.answer(
            {
                "state": "failing" if fault else ("limited" if notices else "ok"),
                "version": __version__,
                "keeps": service.keeps and fault is None,
                "checkpoints_class": service.has_checkpoints_class,
                "contents_manager": type(service.manager).__name__,
                "store": {
                    "path": service.settings.store_path,
                    "open": recorder.opened is not None,
                    "error": service.paths.describe(fault) if fault else None,
                },
                "queued": recorder.queued,
                "recorded": recorder.recorded,
                "failed": recorder.failed,
                "last_failure": service.paths.shorten(recorder.last_failure),
                "watched": service.heartbeat.watched_count,
                "damaged": [
                    {
                        "path": damage.path,
                        "condition": damage.condition,
                        "words": damage.words,
                        "last_good": damage.last_good,
                    }
                    for damage in service.heartbeat.damages
                ],
                "quota": service.quota.row(),
                "replicas": service.replicas.rows(),
                "notices": notices,
            }
        )


class UnknownHandler(RewindHandler):
    """Any address below ours at which there is nothing."""

    @web.authenticated
    async def get(self) -> None:
        raise NotFound(
            f"There is nothing at {self.request.path}.", hint="openapi.yaml beside it has the list."
        )

    post = put = patch = delete = get


class OpenapiHandler(RewindHandler):
    """GET the description of this interface."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.finish(OPENAPI.read_bytes(), set_content_type="application/yaml; charset=utf-8")


def _list_notices(service: Any) -> list[str]:
    notices = [f"Left out of the settings: {each.error}" for each in service.settings.problems]
    if not service.keeps:
        notices.append(
            f"{type(service.manager).__name__} keeps its files elsewhere than on a local file "
            "system: their saves are not kept."
        )
    elif not service.has_checkpoints_class:
        notices.append(
            f"Jupyter's own checkpoints stay with {type(service.manager.checkpoints).__name__}, "
            "which was chosen in the configuration; each save is kept all the same."
        )
    notices += service.quota.notices()
    notices += map(service.paths.shorten, service.replicas.notices())
    notices += service.catalogue.notices()
    if not service.settings.notebooks_scan_seconds:
        notices.append("Looks at the notebooks on disk are off: notebooks.scan_seconds is 0.")
    return notices


def _render_off(refusal: RewindError | None) -> dict[str, Any]:
    return {
        "state": "off",
        "version": __version__,
        "keeps": False,
        "checkpoints_class": False,
        "contents_manager": "",
        "store": {"path": "", "open": False, "error": describe(refusal) if refusal else None},
        "queued": 0,
        "recorded": 0,
        "failed": 0,
        "last_failure": "",
        "watched": 0,
        "damaged": [],
        "quota": None,
        "replicas": [],
        "notices": ["No save is kept."],
    }
