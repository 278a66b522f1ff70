"""JuSnap's interface, `/api/snap`, for programs that know it: a thin alias of ours, off by default.

JuSnap had one kernel. Where a server has several, the query argument `kernel` (an id) says which;
without it, the list is of all of them, and `new` is refused.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_rewind import clock
from jupyter_rewind.errors import Conflict, NotFound, Unavailable
from jupyter_rewind.faces.server.handlers.base import RewindHandler, text_of
from jupyter_rewind.faces.server.handlers.images import ImagesHandlerBase
from jupyter_rewind.model.image import BEFORE_RESTORE

if TYPE_CHECKING:
    from jupyter_rewind.model.image import ProcessImage

T = TypeVar("T")


class SnapHandler(ImagesHandlerBase):
    """What JuSnap's four addresses have in common; GET the list."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        found = await self.within(self.asked_for())
        self.answer({"snapshots": [_told(each) for each in found]})

    async def asked_for(self) -> list[ProcessImage]:
        """The images of the kernel that the request names, or of all of this server."""
        kernel = self.query("kernel", "")
        found = await (self.images.of_kernel(kernel) if kernel else self.images.all())
        return [each for each in found if each.reason != BEFORE_RESTORE]

    async def within(self, work: Awaitable[T]) -> T:
        """What `work` gives, where it is done in time; else it goes on. Raises Unavailable."""
        task = asyncio.ensure_future(work)
        seconds = self.service.settings.jusnap_write_timeout_seconds
        done, _ = await asyncio.wait({task}, timeout=seconds or None)
        if done:
            return task.result()
        task.add_done_callback(_log_failure)
        raise Unavailable(
            f"This is not done after {seconds} seconds, and goes on.",
            code="going_on",
            hint="GET /api/snap shows when it is done; jusnap.write_timeout_seconds is the limit.",
            retryable=True,
        )


class SnapNewHandler(SnapHandler):
    """POST an image of the present, unless there is one of just now."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        status, image = await self.within(self._make())
        self.answer({"status": status, **_told(image)})

    async def _make(self) -> tuple[str, ProcessImage]:
        kernel = self.query("kernel", "") or await self._only_kernel()
        made = [e for e in await self.images.of_kernel(kernel) if e.reason != BEFORE_RESTORE]
        cooldown_ns = self.service.settings.kernels_image_cooldown_seconds * 1_000_000_000
        if made and 0 <= clock.now_ns() - made[-1].time_ns < cooldown_ns:
            return "skipped", made[-1]
        return "snapshotted", await self.images.create(kernel)

    async def _only_kernel(self) -> str:
        found = [each.kernel for each in await self.images.kernels()]
        if not found:
            problem = await self.images.problem()
            why = f": {problem}" if problem else ""
            raise NotFound(
                f"There is no kernel here that images can be made of{why}.",
                hint="Open a notebook. `jupyter rewind doctor` says what this machine allows.",
            )
        if len(found) > 1:
            raise Conflict(
                f"There are {len(found)} kernels: {', '.join(sorted(found))}.",
                hint="Say which one: POST /api/snap/new?kernel=ID.",
            )
        return found[0]


class SnapRestoreHandler(SnapHandler):
    """POST the id of an image: its kernel is as it was then."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        name = text_of(self.body(), "id")
        found = next((e for e in await self.images.all() if e.id == name), None)
        if found is None:
            raise NotFound(f"Snapshot {name} not found.", hint="GET /api/snap lists them.")
        done = await self.within(self.images.restore(found.kernel, found.id))
        self.answer({"status": "restored", **_told(done.image)})


class SnapClearHandler(SnapHandler):
    """DELETE all images that have no name, of the kernel that is named or of all."""

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        async def clear() -> int:
            kernels = {each.kernel for each in await self.asked_for()}
            return sum([len((await self.images.clear(each))[1]) for each in sorted(kernels)])

        self.answer({"status": "cleared", "kept": await self.within(clear())})


ROUTES: list[tuple[str, type[RewindHandler]]] = [
    ("/api/snap", SnapHandler),
    ("/api/snap/new", SnapNewHandler),
    ("/api/snap/restore", SnapRestoreHandler),
    ("/api/snap/clear", SnapClearHandler),
]


def _told(image: ProcessImage) -> dict[str, str]:
    date = datetime.fromtimestamp(image.time_ns // 1_000_000_000, UTC)
    return {"id": image.id, "date": date.isoformat().replace("+00:00", "Z")}


def _log_failure(task: asyncio.Future[Any]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logging.getLogger("jupyter_rewind").warning("What went on failed: %s", task.exception())
