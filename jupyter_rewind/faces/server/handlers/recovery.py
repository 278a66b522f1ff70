"""After a disaster: what is left of notebooks, what can be made of it, and writing that.

What kernels ran is asked for here, and no notebook of the served folder holds it. So whoever asks
needs the right to start kernels, and to write, the right to write files as well.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_rewind import rescue
from jupyter_rewind.errors import Denied, InvalidInput, NotFound, RewindError
from jupyter_rewind.faces.server.handlers.base import AUTH_RESOURCE, RewindHandler, text_of
from jupyter_rewind.faces.server.rendering import moment_text

if TYPE_CHECKING:
    from jupyter_rewind.faces.server.paths import Paths

T = TypeVar("T")
KERNELS = "kernels"
_OPTION = re.compile(r"--(output|since|until|session)\b")


class _RecoveryHandler(RewindHandler):
    auth_resource = KERNELS

    async def target(self, path: str) -> str:
        """The file or the folder that a request names; the served folder for an empty path."""
        if not path.strip("/"):
            return self.service.paths.root
        return await self.service.paths.visible(path.strip("/"))

    async def work(self, request: rescue.Request, act: Callable[[rescue.Scope], T]) -> T:
        """What `act` does in the scope of `request`, beside the server's own work."""
        settings = self.service.settings

        def run() -> T:
            with rescue.open_scope(settings, request) as scope:
                return act(scope)

        try:
            return await asyncio.to_thread(run)
        except RewindError as error:
            raise _in_words_of_the_body(error) from error

    def asked(self, file: str, body: Mapping[str, Any]) -> rescue.Request:
        """What a body asks for. Raises InvalidInput."""
        numbers = body.get("sessions", [])
        if not isinstance(numbers, list) or not all(type(each) is int for each in numbers):
            raise InvalidInput("sessions must be a list of whole numbers.")
        return rescue.Request(
            target=file,
            sessions=tuple(numbers),
            since=text_of(body, "since", "") or None,
            until=text_of(body, "until", "") or None,
        )

    async def recovery(
        self, path: str, body: Mapping[str, Any], act: Callable[[rescue.Recovery], T]
    ) -> T:
        """What `act` makes of the notebook that was brought back. Raises NotFound without one."""
        file = await self.target(path)
        if not path.endswith(".ipynb"):
            raise InvalidInput("path must name a notebook.")

        def run(scope: rescue.Scope) -> T:
            recovery = rescue.recover(scope)
            if isinstance(recovery, rescue.Nothing):
                unread = " ".join(f"{each.place}: {each.words}" for each in recovery.problems)
                words = f"{rescue.outside(scope)} Nothing of {path} was found. {unread}"
                hint = "The list of its whole folder names the places that were looked at."
                raise NotFound(words.strip(), hint=hint)
            return act(recovery)

        return await self.work(self.asked(file, body), run)


class RecoverHandler(_RecoveryHandler):
    """GET what is left of a notebook or of all in a folder; POST: bring one back."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        path = self.query("path", "")
        file = await self.target(path)
        paths = self.service.paths

        def act(scope: rescue.Scope) -> dict[str, Any]:
            found = rescue.find_traces(scope)
            surveyed = rescue.survey(scope, found)
            problems = found.problems + surveyed.problems
            return {
                "path": path.strip("/"),
                "notebooks": [_standing(each, paths) for each in surveyed.standings],
                "loose": [_trace(each, paths) for each in found.traces if each.notebook is None],
                "problems": [_problem(each) for each in problems],
                "places": [
                    {"kind": each.kind, "title": each.title, "where": each.where}
                    for each in found.places
                ],
            }

        self.answer(await self.work(rescue.Request(target=file), act))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        await self._check_may_write()
        body = self.body()
        path = text_of(body, "path")
        output = text_of(body, "output", "").strip("/")
        place = await self.service.paths.visible(output) if output else None
        root = self.service.paths

        def act(recovery: rescue.Recovery) -> dict[str, Any]:
            written = rescue.write(recovery, output=place, with_page=False)
            made = root.api_path(os.path.realpath(written.path)) or written.path.name
            return {"path": made, "report": _report(recovery, root)}

        self.answer(await self.recovery(path, body, act), 201)

    async def _check_may_write(self) -> None:
        """Raises Denied unless the user may write files, too."""
        may = self.authorizer.is_authorized(self, self.current_user, "write", AUTH_RESOURCE)
        if not await ensure_async(may):
            raise Denied("You may not write files on this server.")


class RecoverPreviewHandler(_RecoveryHandler):
    """POST: the notebook that would be brought back, and its report; nothing is written."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        body = self.body()
        path = text_of(body, "path")
        paths = self.service.paths

        def act(recovery: rescue.Recovery) -> dict[str, Any]:
            return {
                "path": path.strip("/"),
                "report": _report(recovery, paths),
                "notebook": rescue.content(recovery),
                "page": rescue.page(recovery),
            }

        self.answer(await self.recovery(path, body, act))


def _in_words_of_the_body(error: RewindError) -> RewindError:
    """The error with the names that a request has for what are options of the command."""
    message, hint = (_OPTION.sub(_name, text) for text in (error.message, error.hint or ""))
    return type(error)(message, hint=hint, code=error.code, retryable=error.retryable)


def _name(option: re.Match[str]) -> str:
    return "`sessions`" if option[1] == "session" else f"`{option[1]}`"


def _report(recovery: rescue.Recovery, paths: Paths) -> dict[str, Any]:
    told = rescue.tell(rescue.report(recovery))
    return {**told, "notebook": _api_path(str(told["notebook"]), paths)}


def _standing(standing: rescue.Standing, paths: Paths) -> dict[str, Any]:
    return {
        "path": _api_path(str(standing.notebook), paths),
        "state": standing.state,
        "words": standing.words or standing.older,
        "can_gain": standing.can_gain,
        "traces": [_trace(each, paths) for each in standing.traces],
    }


def _trace(trace: rescue.Trace, paths: Paths) -> dict[str, Any]:
    return {
        "kind": trace.kind,
        "place": trace.place,
        "notebook": _api_path(trace.notebook, paths) if trace.notebook else None,
        "holds": sorted(str(each) for each in trace.holds),
        "time": None if trace.time_ns is None else moment_text(trace.time_ns),
        "size": trace.size_bytes,
        "words": trace.words,
        "problem": trace.problem,
    }


def _problem(problem: rescue.Problem) -> dict[str, str]:
    return {"place": problem.place, "words": problem.words}


def _api_path(file: str, paths: Paths) -> str:
    """The API path of a notebook, which need not exist; its own path outside the served folder."""
    real = os.path.join(os.path.realpath(Path(file).parent), Path(file).name)
    return paths.api_path(real) or file
