"""The live document that several browsers edit together, where jupyter-collaboration is on.

The document is only read: it follows the file by itself. What it holds at the moment of a restore
is kept first, for typing of the last second is in no file yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nbformat
from jupyter_server.serverapp import ServerApp

from jupyter_rewind.faces.server.paths import is_notebook

_EXTENSION = "jupyter_server_ydoc"


def _find_extension(server: ServerApp | None) -> Any:
    if server is None:
        return None
    apps = server.extension_manager.extension_apps.get(_EXTENSION, set())
    return next((app for app in apps if hasattr(app, "get_document")), None)


def is_collaborative(server: ServerApp | None) -> bool:
    """Whether documents of this server may be shared live."""
    return _find_extension(server) is not None


async def read_live_document(server: ServerApp | None, api_path: str) -> bytes | None:
    """The bytes that saving the live document of `api_path` would write; None when nobody has it
    open. Any fault of collaboration's own is the caller's to judge.
    """
    extension = _find_extension(server)
    files = None if server is None else server.web_app.settings.get("file_id_manager")
    if extension is None or files is None or files.get_id(api_path) is None:
        return None
    for content_type, file_format in _rooms(api_path):
        document = await extension.get_document(
            path=api_path, content_type=content_type, file_format=file_format
        )
        if document is not None:
            return encode_source(await _read_source(document))
    return None


def encode_source(source: object) -> bytes:
    """A document's source as Jupyter's contents manager writes it to disk."""
    if isinstance(source, str):
        return source.encode("utf-8")
    parse: Callable[[object], object] = nbformat.from_dict
    write: Callable[..., str] = nbformat.writes
    text = write(parse(source), version=nbformat.NO_CONVERT)
    return (text if text.endswith("\n") else text + "\n").encode("utf-8")


async def reload_live_document(server: ServerApp | None, api_path: str) -> None:
    """Those who have `api_path` open see the file's new content now, not at the next poll.

    To be called when what the document held is kept: a save of it that waits is called off, for
    it would write the new content once more, in the document's own spelling.
    """
    extension = _find_extension(server)
    files = None if server is None else server.web_app.settings.get("file_id_manager")
    file_id = None if extension is None or files is None else files.get_id(api_path)
    if file_id is not None and file_id in extension.file_loaders:
        for content_type, file_format in _rooms(api_path):
            _call_off_save(extension, f"{file_format}:{content_type}:{file_id}")
        await extension.file_loaders[file_id].maybe_notify()


def _call_off_save(extension: Any, room_id: str) -> None:
    # The room does the same at each edit, and has no public way to it; without it, the restored
    # file is only spelled anew.
    rooms = getattr(getattr(extension, "ywebsocket_server", None), "rooms", {})
    waiting = getattr(rooms.get(room_id), "_saving_document", None)
    if waiting is not None and not waiting.done():
        waiting.cancel()


def _rooms(api_path: str) -> list[tuple[str, str]]:
    return [("notebook", "json")] if is_notebook(api_path) else [("file", "text")]


async def _read_source(document: Any) -> object:
    # jupyter_ydoc 3.1 reads in steps that let others run; before that there was only `source`.
    return await document.aget() if hasattr(document, "aget") else document.source
