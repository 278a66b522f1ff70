"""Calls of a contents manager that we must be part of, because no event tells of them in time.

Each original is called exactly once, with what it was given, and what it returns or raises is
passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import Any

from jupyter_server.services.contents.manager import ContentsManager
from tornado.web import HTTPError

from jupyter_rewind.errors import RewindError
from jupyter_rewind.faces.server import request
from jupyter_rewind.faces.server.paths import Paths, is_notebook
from jupyter_rewind.faces.server.statuses import Refusal, words_of
from jupyter_rewind.faces.server.turns import SaveTurns

_EXPLAIN_SECONDS = 3.0
_TAKE_SECONDS = 1.0


def mark_saves(
    manager: ContentsManager,
    around: Callable[[], contextlib.AbstractContextManager[None]],
    take: Callable[[request.Saving], Future[None] | None],
    end_failed: Callable[[request.Saving], None],
    turns: SaveTurns,
) -> None:
    """Each call of `save` happens in its turn and within `around`, and code that runs within it
    can tell that it does: see `request.saving`.

    After a save that went well, `take` is called and what it returns is waited for, not for long,
    before the save is answered; after one that failed, `end_failed`. One that we refused fails with
    our refusal, whatever the manager made of it: some call every failure one of their own.
    """
    original: Callable[..., Any] = manager.save

    @contextlib.contextmanager
    def marked(model: object, path: object) -> Iterator[request.Saving]:
        under_way = request.describe_saving(model, path)
        token = request.saving.set(under_way)
        try:
            with around():
                yield under_way
        except BaseException as error:
            end_failed(under_way)
            if under_way.refusal is None or error is under_way.refusal:
                raise
            raise under_way.refusal from error
        finally:
            under_way.is_over = True
            request.saving.reset(token)

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def save_async(model: Any, path: str = "", **kwargs: Any) -> Any:
            async with turns.taken_async(path):
                with marked(model, path) as under_way:
                    saved = await original(model, path, **kwargs)
                    taking = take(under_way)
                    if taking is not None:
                        await asyncio.wait({asyncio.wrap_future(taking)}, timeout=_TAKE_SECONDS)
                    return saved

        manager.save = save_async  # type: ignore[method-assign]  # on purpose
    else:

        @functools.wraps(original)
        def save(model: Any, path: str = "", **kwargs: Any) -> Any:
            with turns.taken(path), marked(model, path) as under_way:
                saved = original(model, path, **kwargs)
                taking = take(under_way)
                if taking is not None:
                    wait({taking}, timeout=_TAKE_SECONDS)
                return saved

        manager.save = save  # type: ignore[method-assign]  # on purpose


def watch_hooks(manager: ContentsManager, paths: Paths) -> None:
    """Each save knows whether the user's post-save hooks have changed the file: then it holds what
    was saved. What changed before or after them was another program's save."""
    original: Callable[..., Any] = manager.run_post_save_hooks

    def look(saving: request.Saving | None) -> tuple[int, ...] | None:
        if saving is None:
            return None
        try:
            status = os.stat(paths.file(saving.path))
        except (OSError, RewindError):
            return None
        return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino

    @functools.wraps(original)
    def watched(*args: Any, **kwargs: Any) -> Any:
        saving = request.current_saving() if _has_post_save_hooks(manager) else None
        before = look(saving)
        try:
            return original(*args, **kwargs)
        finally:
            if saving is not None:
                saving.hooks_changed = look(saving) != before

    manager.run_post_save_hooks = watched  # type: ignore[method-assign]  # on purpose


def _has_post_save_hooks(manager: ContentsManager) -> bool:
    """Whether something may change a file after the manager has saved it; True if in doubt."""
    registered = getattr(manager, "_post_save_hooks", True)  # there is no public way to ask
    return bool(registered) or getattr(manager, "post_save_hook", None) is not None


def look_before(manager: ContentsManager, name: str, look: Callable[[str], None]) -> None:
    """`look` sees the path that each call of the manager's method `name` is about, before it."""
    original: Callable[..., Any] = getattr(manager, name)

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def called_async(path: str, *args: Any, **kwargs: Any) -> Any:
            await asyncio.to_thread(look, path)
            return await original(path, *args, **kwargs)

        setattr(manager, name, called_async)
    else:

        @functools.wraps(original)
        def called(path: str, *args: Any, **kwargs: Any) -> Any:
            look(path)
            return original(path, *args, **kwargs)

        setattr(manager, name, called)


def explain_failed_reads(manager: ContentsManager, explain: Callable[[str], Future[str]]) -> None:
    """A notebook that cannot be opened is refused with `explain`'s words, where it has some.

    Nothing is asked for a notebook that opens.
    """
    original: Callable[..., Any] = manager.get

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def get_async(path: str, *args: Any, **kwargs: Any) -> Any:
            try:
                return await original(path, *args, **kwargs)
            except HTTPError as error:
                if not _is_unreadable(error, path):
                    raise
                words = ""
                with contextlib.suppress(Exception):
                    words = await asyncio.wait_for(
                        asyncio.wrap_future(explain(path)), _EXPLAIN_SECONDS
                    )
                raise _with_words(error, words) from error

        manager.get = get_async  # type: ignore[method-assign]  # on purpose
    else:

        @functools.wraps(original)
        def get(path: str, *args: Any, **kwargs: Any) -> Any:
            try:
                return original(path, *args, **kwargs)
            except HTTPError as error:
                if not _is_unreadable(error, path):
                    raise
                words = ""
                with contextlib.suppress(Exception):
                    words = explain(path).result(_EXPLAIN_SECONDS)
                raise _with_words(error, words) from error

        manager.get = get  # type: ignore[method-assign]  # on purpose


def _is_unreadable(error: HTTPError, path: object) -> bool:
    return error.status_code == 400 and isinstance(path, str) and is_notebook(path)


def _with_words(error: HTTPError, words: str) -> HTTPError:
    if not words:
        return error
    return Refusal(error.status_code, f"{words_of(error)}\n{words}", reason=error.reason)
