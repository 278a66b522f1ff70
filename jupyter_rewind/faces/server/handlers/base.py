"""What every handler of ours does the same way: who may ask, how it fails, how it answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado.web import HTTPError

from jupyter_rewind.errors import Internal, InvalidInput, NotFound, RewindError, Unavailable
from jupyter_rewind.faces.server.desk import PATIENCE_SECONDS, wait_for
from jupyter_rewind.faces.server.service import Service
from jupyter_rewind.faces.server.statuses import (
    Failure,
    describe,
    describe_status,
    sayable,
    status_of,
    words_of,
)

if TYPE_CHECKING:
    from jupyter_rewind.faces.server.app import RewindExtension


class _Named(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T")
N = TypeVar("N", bound=_Named)

#: Whoever may read or write a notebook may read or write its history.
AUTH_RESOURCE = "contents"
_DIGITS = 18


class RewindHandler(ExtensionHandlerMixin, APIHandler):
    """The base of our handlers: JSON in, JSON out, one body for every failure."""

    auth_resource = AUTH_RESOURCE
    _queued: Future[Any] | None = None

    @property
    def extension(self) -> RewindExtension:
        extension: RewindExtension = self.settings[self.name]
        return extension

    @property
    def service(self) -> Service:
        """The service of this server. Raises what kept the extension from starting."""
        extension = self.extension
        if extension.service is None:
            raise extension.refusal or Unavailable("Jupyter Rewind is off on this server.")
        return extension.service

    # ------------------------------------------------------------------ the request
    def query(self, name: str, default: str | None = None) -> str:
        """A query argument. Raises InvalidInput when it is missing."""
        value = self.get_query_argument(name, default, strip=False)
        if value is None:
            raise InvalidInput(f"The query argument {name} is missing.")
        return value

    def query_flag(self, name: str) -> bool:
        """A query argument that is true or false."""
        text = self.query(name, "false").lower()
        if text not in ("true", "false", "1", "0"):
            raise InvalidInput(f"{name} must be true or false.")
        return text in ("true", "1")

    def query_number(self, name: str) -> int | None:
        """A query argument that is a whole number from 1 on, or None without it."""
        text = self.query(name, "")
        if not text:
            return None
        # Python itself refuses to read thousands of digits.
        if not text.isdecimal() or len(text) > _DIGITS or int(text) < 1:
            raise InvalidInput(f"{name} must be a whole number from 1 on.")
        return int(text)

    async def query_file(self, name: str = "path") -> tuple[str, str]:
        """The API path of a query argument and the file it names."""
        path = self.query(name).strip("/")
        return path, await self.service.paths.visible(path)

    def body(self) -> Mapping[str, Any]:
        """The JSON object that was sent. Raises InvalidInput for anything else."""
        try:
            content = json.loads(self.request.body or b"{}")
        except (ValueError, RecursionError) as error:
            raise InvalidInput("The body is not JSON.") from error
        if not isinstance(content, dict):
            raise InvalidInput("The body must be a JSON object.")
        return content

    async def body_file(self, body: Mapping[str, Any], name: str = "path") -> tuple[str, str]:
        """The API path in a body and the file it names."""
        path = text_of(body, name).strip("/")
        return path, await self.service.paths.visible(path)

    # ------------------------------------------------------------------ the work
    async def wait(self, future: Future[T]) -> T:
        """The result of work in one of our threads."""
        return await asyncio.wrap_future(future)

    async def view(self, file: str | None, act: Any) -> Any:
        """What `act` sees in the workspace, after the work on `file` (or on all files)."""
        desk = self.service.desk
        await wait_for(desk.settle(file))
        return await self.wait(desk.view(act))

    async def view_soon(self, file: str | None, act: Any) -> Any:
        """What `act` sees, without what takes long to be stored: for lists, not for refs."""
        desk = self.service.desk
        await wait_for(desk.settle(file), PATIENCE_SECONDS)
        return await self.wait(desk.view(act))

    async def wait_in_queue(self, future: Future[T]) -> T | None:
        """The result of what may have to wait long for its turn; None where nobody is there any
        more to be answered, for who went away is waited for no longer."""
        self._queued = future
        try:
            return await self.wait(future)
        except asyncio.CancelledError:
            if future.cancelled():
                return None
            raise

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self._queued is not None:
            self._queued.cancel()

    async def compare(self, file: str, act: Any, *, soon: bool = False) -> None:
        """Answers with what `act` finds different, in its turn among comparisons, after the work on
        `file`, or `soon`: without what takes long to be stored."""
        desk = self.service.desk
        await wait_for(desk.settle(file), PATIENCE_SECONDS if soon else None)
        found = await self.wait_in_queue(desk.compare(act))
        if found is not None:
            self.answer(found)

    async def change(self, act: Any, *files: str) -> Any:
        """What `act` changes in the workspace, in its turn."""
        return await self.wait(self.service.desk.change(act, *files))

    # ------------------------------------------------------------------ the answer
    def answer(self, content: object, status: int = HTTPStatus.OK) -> None:
        """`content` is sent as JSON."""
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.finish(_encode(content))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every failure has the same body; the table of statuses decides its status."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, RewindError):
            self.set_status(status_of(error))
            failure = self._describe(error)
        elif isinstance(error, HTTPError):
            failure = describe_status(status_code, words_of(error))
        else:
            failure = describe(
                Internal(
                    "Jupyter Rewind failed in a way it should not.",
                    hint="The server's log says more. Nothing that was kept before is affected.",
                )
            )
        self.set_header("Content-Type", "application/json")
        self.finish(_encode(failure))

    def _describe(self, error: RewindError) -> Failure:
        service = self.extension.service
        return describe(error) if service is None else service.paths.describe(error)

    def log_exception(self, *args: Any) -> None:
        """Refusals in words are no faults of the server's."""
        error = args[1] if len(args) > 1 else None
        if isinstance(error, RewindError) and not isinstance(error, Internal):
            words = sayable(str(error))
            self.log.info("%s %s: %s", self.request.method, self.request.path, words)
            return
        super().log_exception(*args)


def older(newest_first: Sequence[N], before: str) -> Sequence[N]:
    """Those that follow the one with the id `before`; all without it. Raises NotFound."""
    if not before:
        return newest_first
    at = next((at for at, each in enumerate(newest_first) if each.id == before), None)
    if at is None:
        raise NotFound(f"{before} is not in this list any more.", hint="Ask for the newest ones.")
    return newest_first[at + 1 :]


def _encode(content: object) -> str:
    # ASCII: a file name or a cell may hold half a surrogate pair, which UTF-8 cannot say.
    return json.dumps(content)


def text_of(body: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """A text in a body. Raises InvalidInput when it is missing or something else."""
    value = body.get(name, default)
    if not isinstance(value, str) or (not value and default is None):
        raise InvalidInput(f"{name} must be a text that is not empty.")
    return value


def texts_of(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of texts in a body, empty without it. Raises InvalidInput for anything else."""
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InvalidInput(f"{name} must be a list of texts.")
    return tuple(value)


def flag_of(body: Mapping[str, Any], name: str) -> bool:
    """A yes or no in a body, no without it. Raises InvalidInput for anything else."""
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidInput(f"{name} must be true or false. Nothing was changed.")
    return bool(value)
