"""Calls of a contents manager that we must be part of, because no event tells of them in time.

Each original is called exactly once, with what it was given, and what it returns or raises is
passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from jupyter_server.services.contents.manager import ContentsManager
from tornado.web import HTTPError

from jupyter_rewind.faces.server import request
from jupyter_rewind.faces.server.paths import is_notebook

_EXPLAIN_SECONDS = 3.0


def mark_saves(manager: ContentsManager) -> None:
    """Code that runs within a call of `save` can tell that it does: see `request.saving`."""
    original = manager.save

    @contextlib.contextmanager
    def marked(model: object, path: object) -> Iterator[None]:
        token = request.saving.set(request.Saving(str(path), request.chunk_of(model)))
        try:
            yield
        finally:
            request.saving.reset(token)

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def save_async(model: Any, path: str = "", **kwargs: Any) -> Any:
            with marked(model, path):
                return await original(model, path, **kwargs)

        manager.save = save_async
    else:

        @functools.wraps(original)
        def save(model: Any, path: str = "", **kwargs: Any) -> Any:
            with marked(model, path):
                return original(model, path, **kwargs)

        manager.save = save


def look_before_deletions(manager: ContentsManager, look: Callable[[str], None]) -> None:
    """`look` sees each path before the contents manager deletes it."""
    original = manager.delete_file

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def delete_async(path: str, **kwargs: Any) -> Any:
            await asyncio.to_thread(look, path)
            return await original(path, **kwargs)

        manager.delete_file = delete_async
    else:

        @functools.wraps(original)
        def delete(path: str, **kwargs: Any) -> Any:
            look(path)
            return original(path, **kwargs)

        manager.delete_file = delete


def explain_failed_reads(
    manager: ContentsManager, explain: Callable[[str], Future[str]]
) -> None:
    """A notebook that cannot be opened is refused with `explain`'s words, where it has some.

    Nothing is asked for a notebook that opens.
    """
    original = manager.get

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def get_async(path: str, *args: Any, **kwargs: Any) -> Any:
            try:
                return await original(path, *args, **kwargs)
            except HTTPError as error:
                if not _is_unreadable(error, path):
                    raise
                with contextlib.suppress(Exception):
                    words = await asyncio.wait_for(
                        asyncio.wrap_future(explain(path)), _EXPLAIN_SECONDS
                    )
                    _add_words(error, words)
                raise

        manager.get = get_async
    else:

        @functools.wraps(original)
        def get(path: str, *args: Any, **kwargs: Any) -> Any:
            try:
                return original(path, *args, **kwargs)
            except HTTPError as error:
                if not _is_unreadable(error, path):
                    raise
                with contextlib.suppress(Exception):
                    words = explain(path).result(_EXPLAIN_SECONDS)
                    _add_words(error, words)
                raise

        manager.get = get


def _is_unreadable(error: HTTPError, path: object) -> bool:
    return error.status_code == 400 and isinstance(path, str) and is_notebook(path)


def _add_words(error: HTTPError, words: str) -> None:
    if words:
        error.log_message = f"{error.log_message}\n{words}"
