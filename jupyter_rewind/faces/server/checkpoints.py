"""Jupyter's own checkpoints interface, with many checkpoints for each file.

Behind `/api/contents/{path}/checkpoints` for every front end: oldest first, label and counts riding
along. Deleting a file ends its history in a tombstone; nothing here destroys a history.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeVar

import nbformat
from jupyter_server.services.contents.checkpoints import (
    AsyncCheckpoints,
    AsyncGenericCheckpointsMixin,
    Checkpoints,
    GenericCheckpointsMixin,
)
from jupyter_server.services.contents.manager import ContentsManager
from tornado.web import HTTPError

from jupyter_rewind.errors import Internal, InvalidInput, RewindError
from jupyter_rewind.faces.server import request
from jupyter_rewind.faces.server.collaboration import encode_source
from jupyter_rewind.faces.server.desk import (
    PATIENCE_SECONDS,
    decode_file,
    encode_file,
    wait_for,
)
from jupyter_rewind.faces.server.listener import follow_delete, follow_rename
from jupyter_rewind.faces.server.paths import is_notebook
from jupyter_rewind.faces.server.rendering import render_contents_checkpoint
from jupyter_rewind.faces.server.restoring import read_live, restore_file
from jupyter_rewind.faces.server.service import Service, service_for
from jupyter_rewind.faces.server.statuses import as_http_error, describe
from jupyter_rewind.model.checkpoint import STOCK_FOLDER

T = TypeVar("T")
Model = dict[str, Any]

#: What a save that is under way is told: it only asks whether there is a checkpoint at all, and
#: the one of this very save is made after it.
_COMING: list[Model] = [{"id": "coming"}]


def _id_of(checkpoint_id: object) -> str:
    # Some callers hand over the whole model.
    if isinstance(checkpoint_id, Mapping):
        checkpoint_id = checkpoint_id.get("id", "")
    return str(checkpoint_id)


class _RewindMixin:
    """What both classes share: they differ only in how they wait."""

    parent: Any
    checkpoint_dir = STOCK_FOLDER  # an otherwise empty folder with old ones in it is empty

    @property
    def service(self) -> Service:
        manager = self.parent
        if not isinstance(manager, ContentsManager):
            raise TypeError("A checkpoints class needs its contents manager as parent.")
        return service_for(manager)

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Our errors leave as HTTP errors with the same words, and faults of ours in words, too."""
        try:
            yield
        except RewindError as error:
            raise as_http_error(self.service.paths.describe(error), error) from error
        except HTTPError:
            raise
        except Exception as error:
            logging.getLogger(__name__).exception("A request for checkpoints failed.")
            words = f"Jupyter Rewind failed in a way it should not: {error!r}."
            fault = Internal(words, hint="The file was not changed.")
            raise as_http_error(describe(fault), fault) from error

    @contextmanager
    def _forgiven(self) -> Iterator[None]:
        """As `_answered`, with 403 for whatever is not 404. JupyterLab lists the checkpoints of a
        document before it shows it and makes one after each save: for any other status it closes
        the document, or says that the save failed."""
        try:
            with self._answered():
                yield
        except HTTPError as told:
            if told.status_code != HTTPStatus.NOT_FOUND:
                told.status_code = HTTPStatus.FORBIDDEN
            raise

    def _file(self, path: str) -> str:
        return self.service.paths.file(path)

    def _create(self, path: str, live: bytes | None) -> Future[Any]:
        # JupyterLab asks for one as soon as it opens a file that has none.
        if not (is_notebook(path) or self.service.settings.notebooks_text_files):
            raise InvalidInput(
                f"{path} is not kept: the setting notebooks.text_files is off.",
                hint="The file itself is saved as ever.",
            )
        return self.service.desk.create(
            self._file(path),
            live=live,
            author=request.current_author(),
            is_asked=not request.is_browser(),
        )

    def _create_notebook(self, nb: object, path: str) -> Future[Any]:
        return self._create_from(encode_source(nb), path)

    def _create_file(self, content: str, file_format: str, path: str) -> Future[Any]:
        return self._create_from(encode_file(content, file_format), path)

    def _create_from(self, raw: bytes, path: str) -> Future[Any]:
        return self.service.desk.create_from(self._file(path), raw, author=request.current_author())

    def _read(self, checkpoint_id: object, path: str) -> Future[Any]:
        return self.service.desk.read(self._file(path), _id_of(checkpoint_id))

    def _delete(self, checkpoint_id: object, path: str) -> Future[Any]:
        return self.service.desk.delete_checkpoint(self._file(path), _id_of(checkpoint_id))

    def _follow_rename(self, old_path: str, new_path: str) -> None:
        service = self.service
        follow_rename(service.recorder, service.paths, old_path, new_path)

    def _follow_delete(self, path: str) -> None:
        follow_delete(self.service.recorder, self.service.paths, path)


def _notebook_model(raw: bytes) -> Model:
    read: Callable[..., Any] = nbformat.reads
    return {"type": "notebook", "content": read(raw.decode("utf-8"), as_version=4)}


def _file_model(raw: bytes) -> Model:
    content, file_format = decode_file(raw)
    return {"type": "file", "content": content, "format": file_format}


async def _done(future: Future[T]) -> T:
    return await asyncio.wrap_future(future)


class AsyncRewindCheckpoints(_RewindMixin, AsyncGenericCheckpointsMixin, AsyncCheckpoints):
    """Many checkpoints for each file, for asynchronous contents managers."""

    async def create_checkpoint(self, contents_mgr: ContentsManager, path: str) -> Model:
        with self._forgiven():
            live = await read_live(self.service, path)
            made = await _done(self._create(path, live))
            return render_contents_checkpoint(made.checkpoint)

    async def list_checkpoints(self, path: str) -> list[Model]:
        if request.current_saving() is not None:
            return _COMING
        with self._forgiven():
            file, desk = self._file(path), self.service.desk
            await wait_for(desk.settle(file), PATIENCE_SECONDS)
            return [render_contents_checkpoint(each) for each in await _done(desk.list(file))]

    async def restore_checkpoint(
        self, contents_mgr: ContentsManager, checkpoint_id: object, path: str
    ) -> None:
        with self._answered():
            await restore_file(self.service, path, _id_of(checkpoint_id))

    async def delete_checkpoint(self, checkpoint_id: object, path: str) -> None:
        with self._answered():
            await _done(self._delete(checkpoint_id, path))

    async def rename_checkpoint(self, checkpoint_id: object, old_path: str, new_path: str) -> None:
        self._follow_rename(old_path, new_path)

    async def rename_all_checkpoints(self, old_path: str, new_path: str) -> None:
        self._follow_rename(old_path, new_path)

    async def delete_all_checkpoints(self, path: str) -> None:
        self._follow_delete(path)

    async def create_notebook_checkpoint(self, nb: object, path: str) -> Model:
        with self._answered():
            return render_contents_checkpoint(await _done(self._create_notebook(nb, path)))

    async def create_file_checkpoint(self, content: str, format: str, path: str) -> Model:
        with self._answered():
            return render_contents_checkpoint(await _done(self._create_file(content, format, path)))

    async def get_notebook_checkpoint(self, checkpoint_id: object, path: str) -> Model:
        with self._answered():
            return _notebook_model((await _done(self._read(checkpoint_id, path)))[1])

    async def get_file_checkpoint(self, checkpoint_id: object, path: str) -> Model:
        with self._answered():
            return _file_model((await _done(self._read(checkpoint_id, path)))[1])


class RewindCheckpoints(_RewindMixin, GenericCheckpointsMixin, Checkpoints):
    """Many checkpoints for each file, for synchronous contents managers."""

    def create_checkpoint(self, contents_mgr: ContentsManager, path: str) -> Model:
        with self._forgiven():
            live = _at_once(lambda: read_live(self.service, path))
            return render_contents_checkpoint(self._create(path, live).result().checkpoint)

    def list_checkpoints(self, path: str) -> list[Model]:
        if request.current_saving() is not None:
            return _COMING
        with self._forgiven():
            file, desk = self._file(path), self.service.desk
            if (last := desk.settle(file)) is not None:
                wait([last], PATIENCE_SECONDS)
            return [render_contents_checkpoint(each) for each in desk.list(file).result()]

    def restore_checkpoint(
        self, contents_mgr: ContentsManager, checkpoint_id: object, path: str
    ) -> None:
        with self._answered():
            self.service.desk.restore(
                self._file(path),
                _id_of(checkpoint_id),
                live=_at_once(lambda: read_live(self.service, path)),
                author=request.current_author(),
            ).result()

    def delete_checkpoint(self, checkpoint_id: object, path: str) -> None:
        with self._answered():
            self._delete(checkpoint_id, path).result()

    def rename_checkpoint(self, checkpoint_id: object, old_path: str, new_path: str) -> None:
        self._follow_rename(old_path, new_path)

    def rename_all_checkpoints(self, old_path: str, new_path: str) -> None:
        self._follow_rename(old_path, new_path)

    def delete_all_checkpoints(self, path: str) -> None:
        self._follow_delete(path)

    def create_notebook_checkpoint(self, nb: object, path: str) -> Model:
        with self._answered():
            return render_contents_checkpoint(self._create_notebook(nb, path).result())

    def create_file_checkpoint(self, content: str, format: str, path: str) -> Model:
        with self._answered():
            return render_contents_checkpoint(self._create_file(content, format, path).result())

    def get_notebook_checkpoint(self, checkpoint_id: object, path: str) -> Model:
        with self._answered():
            return _notebook_model(self._read(checkpoint_id, path).result()[1])

    def get_file_checkpoint(self, checkpoint_id: object, path: str) -> Model:
        with self._answered():
            return _file_model(self._read(checkpoint_id, path).result()[1])


def _at_once(ask: Callable[[], Coroutine[Any, Any, T] | Awaitable[T]]) -> T | None:
    """The answer of a coroutine that need not wait; None when it would have to.

    Synchronous contents managers run on the event loop's own thread, so nothing can wait there.
    """
    coroutine = ask()
    step = coroutine.__await__()
    try:
        next(step)
    except StopIteration as end:
        answer: T = end.value
        return answer
    close = getattr(coroutine, "close", None)
    if close is not None:
        close()
    return None
