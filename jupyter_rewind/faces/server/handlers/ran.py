"""What ran in a notebook and which states its kernels left, as its history shows them.

Both come from the store, whichever kernels there were; only bringing a variable back asks one.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_rewind.faces.server.handlers.base import flag_of, older, text_of
from jupyter_rewind.faces.server.handlers.kernels import KernelStatesHandler
from jupyter_rewind.model.ids import ExecutionId
from jupyter_rewind.revival import Revival, changes_json, ran_json, report_json, snapshot_json

_USUAL_LIMIT = 200


class ExecutionsHandler(KernelStatesHandler):
    """GET the executions of a notebook, the newest first."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        _, file = await self.query_file()
        limit = self.query_number("limit") or _USUAL_LIMIT
        before = ExecutionId(self.query("before", "")) or None
        hearing = self.service.hearing
        heard = frozenset() if hearing is None else hearing.running
        found = await self.look(
            lambda revival: revival.ran(file, limit=limit + 1, before=before, heard=heard)
        )
        executions = [ran_json(each) for each in found[:limit]]
        self.answer({"executions": executions, "more": len(found) > limit})


class NotebookSnapshotsHandler(KernelStatesHandler):
    """GET the states of a notebook's kernels, the newest first."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        _, file = await self.query_file()
        limit = self.query_number("limit") or _USUAL_LIMIT
        before = self.query("before", "")
        found = await self.look(
            lambda revival: older(revival.snapshots_of_notebook(file)[::-1], before)
        )
        snapshots = [snapshot_json(each) for each in found[:limit]]
        self.answer({"snapshots": snapshots, "more": len(found) > limit})


class NotebookSnapshotHandler(KernelStatesHandler):
    """GET the variables of a state, and how they differ from the state that it stands on."""

    @web.authenticated
    @authorized
    async def get(self, ref: str) -> None:
        _, file = await self.query_file()

        def act(revival: Revival) -> dict[str, Any]:
            snapshot = revival.resolve_of_notebook(file, unquote(ref))
            before = revival.parent(snapshot)
            changes = None if before is None else changes_json(revival.compare(before, snapshot))
            return {
                "snapshot": snapshot_json(snapshot),
                "before": None if before is None else snapshot_json(before),
                "report": report_json(revival.report(snapshot)),
                "changes": changes,
            }

        self.answer(await self.look(act))


class NotebookSnapshotDiffHandler(KernelStatesHandler):
    """GET how a notebook's variables differ between two states, and how each state keeps them."""

    @web.authenticated
    @authorized
    async def get(self, ref: str) -> None:
        _, file = await self.query_file()
        after = self.query("after", "head")

        def act(revival: Revival) -> dict[str, Any]:
            first = revival.resolve_of_notebook(file, unquote(ref))
            second = revival.resolve_of_notebook(file, after)
            return {
                "before": snapshot_json(first),
                "after": snapshot_json(second),
                "before_report": report_json(revival.report(first)),
                "after_report": report_json(revival.report(second)),
                "changes": changes_json(revival.compare(first, second)),
            }

        self.answer(await self.look(act))


class VariablesHandler(KernelStatesHandler):
    """POST: one variable of a state is there again; everything else stays."""

    @web.authenticated
    @authorized
    async def post(self, kernel: str) -> None:
        body = self.body()
        words = {
            "name": text_of(body, "name"),
            "ref": text_of(body, "ref"),
            "new": text_of(body, "as", "") or None,
            "replace": flag_of(body, "replace"),
            "trust": flag_of(body, "trust"),
        }
        self.answer(await self.ask(kernel, "get", words))
