"""The states of kernels: listed, made, reported, compared, brought back, deleted.

Lists come from the store, also for kernels that are gone; whatever changes a kernel's variables is
asked of the kernel itself, and waits for the cell that it runs.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_rewind.clock import monotonic
from jupyter_rewind.errors import NotFound, RestoreRefused, Unavailable
from jupyter_rewind.faces.server.announcer import KERNEL_EVENTS
from jupyter_rewind.faces.server.handlers.base import RewindHandler, flag_of, text_of
from jupyter_rewind.model.snapshot import Snapshot
from jupyter_rewind.revival import Revival, changes_json, report_json, run_json, snapshot_json

if TYPE_CHECKING:
    from jupyter_rewind.model.checkpoint import Checkpoint
    from jupyter_rewind.revival import Legacy, RunState
    from jupyter_rewind.workspace import Workspace

_ANSWERS_WITHIN = 60.0
_STARTS_WITHIN = 20.0
#: A page has few connections, and this one may wait for a kernel that sleeps or has no Rewind.
_IS_TOLD_WITHIN = 8.0


async def ask_run(live: RunState, verb: str, words: dict[str, Any]) -> dict[str, Any]:
    """What the kernel of a run answers. Raises Unavailable, and what the kernel raised."""
    # Not `to_thread`: with this task's context, the client would take the server's loop for its.
    work = functools.partial(Revival.ask, live, verb, words, timeout=_ANSWERS_WITHIN)
    return await asyncio.get_running_loop().run_in_executor(None, work)


def find_pairs(
    workspace: Workspace, file: str, checkpoints: Sequence[Checkpoint]
) -> dict[str, dict[str, Any]]:
    """The state of the notebook's kernel that belongs to each checkpoint, by that one's id."""
    found = Revival(workspace.repository, workspace.histories).pair(file, checkpoints)
    return {
        name: {"id": each.id, "run": each.run, "count": each.count} for name, each in found.items()
    }


def find_state(workspace: Workspace, file: str, ref: str) -> tuple[RunState, str]:
    """The running kernel of a notebook, and its state that belongs to the checkpoint `ref`.

    Raises RestoreRefused where there is none of either, NotFound.
    """
    workspace.repository.refresh()
    checkpoint = workspace.resolve(file, ref)
    pair = find_pairs(workspace, file, [checkpoint]).get(checkpoint.id)
    live = None
    if pair is not None:
        live = Revival(workspace.repository, workspace.histories).live_run(file)
    if pair is None or live is None:
        missing = "no state was kept then" if pair is None else "no kernel of it is running"
        raise RestoreRefused(
            f"{os.path.basename(file)} was not brought back together with its variables:"
            f" {missing}.",
            hint="Nothing was changed. Bring back the notebook alone.",
        )
    return live, pair["id"]


class KernelStatesHandler(RewindHandler):
    """What the handlers of kernels' states have in common."""

    auth_resource = "kernels"

    async def look(self, act: Any) -> Any:
        """What `act` sees of the runs and states in the store, up to now."""

        def seen(workspace: Workspace) -> Any:
            workspace.repository.refresh()
            return act(Revival(workspace.repository, workspace.histories))

        return await self.wait(self.service.desk.view(seen))

    async def ask(self, kernel: str, verb: str, words: dict[str, Any]) -> dict[str, Any]:
        """What the running kernel answers. Raises NotFound, Unavailable, and what it raised."""
        live: RunState | None = await self.look(lambda revival: revival.live_run_of_kernel(kernel))
        if live is None:
            raise Unavailable(
                f"Kernel {kernel} is not running, or keeps no states.",
                hint="Its states are in the store: a new kernel of the notebook can take them over"
                " with `%rewind resume`.",
            )
        answer = await ask_run(live, verb, words)
        snapshot = answer.get("snapshot")
        if isinstance(snapshot, dict):
            self._announce("created" if verb == "create" else "restored", kernel, snapshot)
        return answer

    def shown(self, run: dict[str, Any]) -> dict[str, Any]:
        """A run of a kernel as an answer tells it: with the API path of its notebook."""
        return {**run, "path": self.service.paths.api_path(run["path"]) or ""}

    def _announce(self, action: str, kernel: str, snapshot: dict[str, Any]) -> None:
        service = self.service
        for path in service.paths.api_paths(str(snapshot["path"])) or [""]:
            service.announcer.announce(
                KERNEL_EVENTS,
                {
                    "action": action,
                    "kernel": kernel,
                    "path": path,
                    "snapshot": snapshot["id"],
                    "count": snapshot["count"],
                },
            )


class KernelsHandler(KernelStatesHandler):
    """GET the runs of kernels that the store knows of."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        runs = await self.look(lambda revival: [run_json(each) for each in revival.runs()])
        self.answer({"runs": [self.shown(each) for each in runs]})


class SnapshotsHandler(KernelStatesHandler):
    """GET the states of a kernel, POST one of the present."""

    @web.authenticated
    @authorized
    async def get(self, kernel: str) -> None:
        limit = self.query_number("limit")

        def act(revival: Revival) -> list[Snapshot]:
            found = revival.snapshots_of_kernel(kernel)
            return found[-limit:] if limit else found

        found = await self.look(act)
        self.answer({"kernel": kernel, "snapshots": [snapshot_json(each) for each in found]})

    @web.authenticated
    @authorized
    async def post(self, kernel: str) -> None:
        label = text_of(self.body(), "label", "") or None
        self.answer(await self.ask(kernel, "create", {"label": label}), 201)


class SnapshotHandler(KernelStatesHandler):
    """GET how faithfully each variable of a state is kept, DELETE a state."""

    @web.authenticated
    @authorized
    async def get(self, kernel: str, ref: str) -> None:
        def act(revival: Revival) -> dict[str, Any]:
            snapshot = revival.resolve_of_kernel(kernel, unquote(ref))
            return {
                "snapshot": snapshot_json(snapshot),
                "report": report_json(revival.report(snapshot)),
            }

        self.answer(await self.look(act))

    @web.authenticated
    @authorized
    async def delete(self, kernel: str, ref: str) -> None:
        force = self.query_flag("force")
        found = await self.look(lambda revival: revival.resolve_of_kernel(kernel, unquote(ref)))

        def act(workspace: Workspace) -> None:
            Revival(workspace.repository, workspace.histories).delete(found, force=force)

        await self.change(act)
        self._announce("deleted", kernel, dict(snapshot_json(found)))
        self.set_status(204)
        self.finish()


class SnapshotRestoreHandler(KernelStatesHandler):
    """POST: the kernel's variables are as they were; its present is kept first."""

    @web.authenticated
    @authorized
    async def post(self, kernel: str, ref: str) -> None:
        body = self.body()
        words = {"ref": unquote(ref), "trust": flag_of(body, "trust")}
        self.answer(await self.ask(kernel, "to", words))


class SnapshotUndoHandler(KernelStatesHandler):
    """POST: the kernel's last move is taken back."""

    @web.authenticated
    @authorized
    async def post(self, kernel: str) -> None:
        self.answer(await self.ask(kernel, "undo", {}))


class SnapshotDiffHandler(KernelStatesHandler):
    """GET how a kernel's variables differ between two states."""

    @web.authenticated
    @authorized
    async def get(self, kernel: str) -> None:
        before, after = self.query("before"), self.query("after", "head")

        def act(revival: Revival) -> dict[str, Any]:
            first = revival.resolve_of_kernel(kernel, before)
            second = revival.resolve_of_kernel(kernel, after)
            return {
                "before": snapshot_json(first),
                "after": snapshot_json(second),
                "changes": changes_json(revival.compare(first, second)),
            }

        self.answer(await self.look(act))


class ResumableHandler(KernelStatesHandler):
    """GET the state of a notebook's last kernel that a new one could take over; POST takes it."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        _, file = await self.query_file()
        kernel = self.query("kernel", "")
        legacy, is_lost = await self._last(file), False
        if kernel and legacy is not None and legacy.state.was_cut_short:
            await self._started(kernel, _IS_TOLD_WITHIN)
            legacy = await self._last(file)
            is_lost = legacy is not None and await self._is_lost(legacy, kernel)
        wanted = self.service.settings.kernels_resume
        told: dict[str, Any] = {"run": None, "snapshot": None, "lost": is_lost, "wanted": wanted}
        if legacy is not None:
            told["run"] = self.shown(run_json(legacy.state))
            told["snapshot"] = snapshot_json(legacy.snapshot)
        self.answer(told)

    async def _last(self, file: str) -> Legacy | None:
        def act(revival: Revival) -> Legacy | None:
            try:
                return revival.last_state(file)
            except NotFound:
                return None

        found: Legacy | None = await self.look(act)
        return found

    async def _is_lost(self, legacy: Legacy, kernel: str) -> bool:
        """Whether the state is of a run that nobody ended, in whose place the kernel runs now, and
        has run no cell yet: at the end of one it tells of the state itself."""
        if not legacy.state.was_cut_short or not legacy.snapshot.counts.variables:
            return False
        live = await self._live(kernel)
        return live is not None and not live.executions

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body()
        kernel, ref = text_of(body, "kernel"), text_of(body, "ref", "") or None
        await self._started(kernel, _STARTS_WITHIN)
        self.answer(await self.ask(kernel, "resume", {"ref": ref}))

    async def _started(self, kernel: str, seconds: float) -> None:
        """Waits for a kernel that Jupyter has just started, as after a death, to keep states."""
        end = monotonic() + seconds
        while kernel in self.settings["kernel_manager"] and monotonic() < end:
            if await self._live(kernel) is not None:
                return
            await asyncio.sleep(0.2)

    async def _live(self, kernel: str) -> RunState | None:
        def act(revival: Revival) -> RunState | None:
            try:
                return revival.live_run_of_kernel(kernel)
            except NotFound:
                return None

        found: RunState | None = await self.look(act)
        return found
