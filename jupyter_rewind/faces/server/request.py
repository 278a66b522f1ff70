"""Who asked for what is happening, and how: read from Jupyter's call context.

A browser saves on its own every few seconds, so its PUT counts as an autosave until the user's
own save asks for a checkpoint. Other programs save because they mean it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_server import CallContext
from jupyter_server.services.contents.handlers import ContentsHandler
from nbformat import v4
from tornado.web import HTTPError

from jupyter_rewind.faces.server.paths import count_cells
from jupyter_rewind.faces.server.reading import Reading
from jupyter_rewind.model.checkpoint import Reason

if TYPE_CHECKING:
    from jupyter_rewind.faces.server.transcript import Transcript

_INDENTED = 36
"""A line break, quotes, a comma and blanks, of which deep data has many."""
MOST_INDENTED = 1 + _INDENTED
"""So many times its bytes, at most, a notebook in a PUT takes in its file."""
_GENERATED_USER = re.compile(r"[0-9a-f]{32}")


@dataclass(slots=True)
class Saving:
    """A call of the contents manager's `save` that is under way: what it wrote to which file, the
    bytes, once they are being taken, our refusal of it, if there was one, and the file that it
    may be writing to."""

    path: str
    kind: str | None
    chunk: int | None
    reading: Reading | None = None
    refusal: HTTPError | None = None
    expected: str | None = None
    hooks_changed: bool | None = None
    """Whether the user's hooks have changed the file after it was written; None while unknown."""
    is_over: bool = False
    cells: int | None = None
    """How many cells the notebook that is being saved has; None for what is no notebook."""
    written: dict[str, Transcript] = field(default_factory=dict)

    @property
    def is_partial(self) -> bool:
        """Whether more of an uploaded file is still to come."""
        return self.chunk is not None and self.chunk != -1

    def hand_over(self, file: str) -> Reading | None:
        """The reading of what was written to `file`, for the first who asks."""
        reading, self.reading = self.reading, None
        return reading if reading is not None and reading.file == file else None


#: The save that the code running now belongs to.
saving: ContextVar[Saving | None] = ContextVar("jupyter_rewind_saving", default=None)


def current_saving() -> Saving | None:
    """The save that is under way here; None in a task that it began and that outlived it."""
    found = saving.get()
    return None if found is None or found.is_over else found


def current_handler() -> Any:
    """The handler whose request is being answered, or None."""
    return CallContext.get(CallContext.JUPYTER_HANDLER)


def is_put() -> bool:
    """Whether a PUT of contents is being answered."""
    handler = current_handler()
    return isinstance(handler, ContentsHandler) and handler.request.method == "PUT"


def is_get() -> bool:
    """Whether somebody looks: a GET of contents is being answered."""
    handler = current_handler()
    return isinstance(handler, ContentsHandler) and handler.request.method == "GET"


def is_creation() -> bool:
    """Whether a new file is being made, as by "New" and "Duplicate", where there was none."""
    handler = current_handler()
    return isinstance(handler, ContentsHandler) and handler.request.method == "POST"


def copied_from() -> str | None:
    """The API path of the file that a new one is made a copy of, as by "Duplicate"; else None."""
    if not is_creation():
        return None
    try:
        told = current_handler().get_json_body()
    except HTTPError:
        return None
    source = told.get("copy_from") if isinstance(told, dict) else None
    return source.strip("/") if isinstance(source, str) and source.strip("/") else None


def infer_reason() -> Reason:
    """Why the save that is happening happens."""
    handler = current_handler()
    if not isinstance(handler, ContentsHandler):
        return Reason.AUTOSAVE  # a live document saves itself
    return Reason.AUTOSAVE if is_put() and is_browser() else Reason.SAVE


def is_browser() -> bool:
    """Whether a page asks, which does some things by itself, and no program that means it."""
    handler = current_handler()
    headers = getattr(getattr(handler, "request", None), "headers", {})
    return "Mozilla" in headers.get("User-Agent", "")


def current_author() -> str | None:
    """The user name of whoever asked; None for the nameless user of a server with a token."""
    handler = current_handler()
    user = getattr(handler, "current_user", None)
    name = getattr(user, "username", None)
    if not isinstance(name, str) or _GENERATED_USER.fullmatch(name):
        return None
    return name


def requested_path() -> str | None:
    """The API path that a contents request names; None outside one."""
    handler = current_handler()
    if not isinstance(handler, ContentsHandler):
        return None
    arguments = [*handler.path_args, *handler.path_kwargs.values()]
    return str(arguments[0]).strip("/") if arguments else ""


def body_bytes() -> int | None:
    """The size of the body of the PUT that is being answered."""
    return len(current_handler().request.body or b"") if is_put() else None


def indented_bytes(content: object) -> int:
    """More than the notebook in the PUT that is being answered takes in its file, whose lines are
    indented, unlike the body's. May be many times that; takes some milliseconds a megabyte."""
    body = (current_handler().request.body or b"") if is_put() else b""
    lines = sum(map(body.count, (b"\\n", b",", b"{", b"}", b"[", b"]")))
    return len(body) + _INDENTED * lines


def written_bytes(content: object) -> int | None:
    """What this notebook takes in its file, as Jupyter writes it; None where that cannot be told.
    Takes as long as writing it."""
    form = content.get("nbformat") if isinstance(content, Mapping) else None
    if form != nbformat.current_nbformat:
        return None
    try:
        return len(v4.writes(nbformat.from_dict(content)).encode())
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return None  # the save will say so


def describe_saving(model: object, path: object) -> Saving:
    """What a call of `save` with these arguments is about to do."""
    told = model if isinstance(model, Mapping) else {}
    kind, chunk = told.get("type"), told.get("chunk")
    return Saving(
        str(path).strip("/"),
        kind if isinstance(kind, str) else None,
        chunk if isinstance(chunk, int) else None,
        cells=count_cells(told.get("content")) if kind == "notebook" else None,
    )
