"""What all commands share: their options, their answer, and how they end.

A command is a function `(face, …) -> Answer`. `Commands.add` gives it the shared options
(`--json`, `--store`, …, which work before and after the command's name), prints its answer, and
turns every way it can end into words and an exit status. No traceback reaches a user.
"""

from __future__ import annotations

import errno
import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jupyter_rewind.errors import (
    Denied,
    Full,
    InvalidInput,
    NotFound,
    RewindError,
    Storage,
    Unavailable,
)
from jupyter_rewind.faces.cli import completion, wording
from jupyter_rewind.faces.cli.answers import Answer
from jupyter_rewind.faces.cli.quick import QuickCommand
from jupyter_rewind.faces.cli.render import Screen, silence
from jupyter_rewind.faces.cli.statuses import Status, status_of

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind
    from jupyter_rewind.workspace import Workspace

NotebookPath = Annotated[str, typer.Argument(metavar="NOTEBOOK", help="The notebook's path.")]
NotebookOrHistory = Annotated[
    str, typer.Argument(metavar="NOTEBOOK", help="Its path, or its history's id.")
]
_REF = typer.Argument(
    metavar="REF",
    help="A checkpoint: id, label, head~2, or a time.",
    autocompletion=completion.refs,
)
OptionalRef = Annotated[str | None, _REF]
RequiredRef = Annotated[str, _REF]

StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="PATH", help="The store's folder, instead of the usual one."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting for this command alone."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
ColorOption = Annotated[bool, typer.Option("--no-color", help="No colours.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the details of a failure.")]

SHARED_OPTIONS: dict[str, tuple[Any, Any]] = {
    "store": (StoreOption, None),
    "set_": (SetOption, None),
    "json": (JsonOption, False),
    "no_color": (ColorOption, False),
    "debug": (DebugOption, False),
}
INTERRUPTED = 128 + 2
PIPE_CLOSED = 128 + 13


class Face:
    """One command at work: where it prints, which settings hold, how it gets at the store."""

    def __init__(self, command: str, options: dict[str, Any]) -> None:
        self.command = command
        self.debug = bool(options.get("debug"))
        self.screen = Screen(
            as_json=bool(options.get("json")), color=not options.get("no_color", False)
        )
        self._store: str | None = options.get("store")
        self._set: Sequence[str] = options.get("set_") or ()

    @functools.cached_property
    def settings(self) -> Rewind:
        """The settings, with those of this command's line on top."""
        from jupyter_rewind.settings import Settings

        return Settings.load(self.overrides())

    @functools.cached_property
    def lenient_settings(self) -> Rewind:
        """As `settings`, with mistakes in them left out and listed."""
        from jupyter_rewind.settings import Settings

        return Settings.load_leniently(self.overrides())

    def overrides(self) -> dict[str, str]:
        """What `--set` and `--store` say."""
        found: dict[str, str] = {}
        for text in self._set:
            key, equals, value = text.partition("=")
            if not (key.strip() and equals):
                raise InvalidInput(
                    f"--set takes KEY=VALUE, not {text!r}.",
                    hint="For example: --set store.path=/data/rewind",
                )
            found[key.strip()] = value
        if self._store is not None:
            if not self._store.strip():
                raise InvalidInput(
                    "--store is empty: it takes the store's folder.",
                    hint="Nothing was changed. Is a variable of your shell not set?",
                )
            found["store.path"] = os.path.abspath(os.path.expanduser(self._store))
        return found

    def event(self, answer: Answer) -> None:
        """One of several answers of a command that goes on; it stands there at once."""
        self.screen.answer(self.command, answer)
        sys.stdout.flush()

    def workspace(self, *, create: bool = False) -> Workspace:
        """The store and its rooms. Commands that only look leave `create` off. On a new machine
        the histories that a replica holds are brought first."""
        from jupyter_rewind.workspace import Workspace

        # Who names a store wants that one, and no other in its place.
        if self.settings.replica_url.strip() and self._store is None:
            self._adopt()
        return Workspace.open(self.settings, create=create)

    @contextmanager
    def notebook(self, path: str) -> Iterator[Workspace]:
        """As `workspace`, to look at one notebook or to change it. What stock Jupyter left of it
        begins its history, also the first one of a new store."""
        from jupyter_rewind.workspace import has_stock, with_stock

        with self.workspace(create=has_stock(path)) as workspace:
            max_bytes = self.settings.notebooks_max_file_mb << 20
            with with_stock(workspace.histories, path, max_bytes):
                yield workspace

    def _adopt(self) -> None:
        from jupyter_rewind.beginning import Beginning
        from jupyter_rewind.replication import Replication

        beginning = Beginning(self.settings)
        if not beginning.is_due:
            return
        try:
            with self.screen.progress("Pulling histories") as progress:
                brought = beginning.adopt(progress)
        except RewindError as error:
            if not beginning.has_work:
                raise
            self.screen.remark(
                f"What the replicas hold is not here yet: {error.message} {wording.PULL_AGAIN}"
            )
            return
        if brought is None:
            return
        if brought.report.absent_bytes:
            self.screen.remark(f"{wording.absent(brought.report.absent_bytes)} {wording.BRING}")
        for url, why in brought.unasked.items():
            self.screen.remark(
                f"What only {url} holds is not here yet: {why.message} {wording.PULL_AGAIN}"
            )
        if missed := Replication(self.settings).missed_encryption:
            self.screen.remark(missed)

    def workspace_at(self, folder: Path | None) -> Workspace:
        """As `workspace`, of the store at `folder` where one is named."""
        from jupyter_rewind.settings import Settings
        from jupyter_rewind.workspace import Workspace

        more = {} if folder is None else {"store.path": str(folder)}
        return Workspace.open(Settings.load(self.overrides() | more), create=False)


class Commands:
    """A group of commands, shown under one heading in the help."""

    def __init__(self, heading: str) -> None:
        self.heading = heading
        self._all: list[tuple[str, Callable[..., Any]]] = []

    def add(self, name: str) -> Callable[[Callable[..., Answer | None]], Callable[..., Any]]:
        """The decorated function becomes the command `name`."""

        def decorate(function: Callable[..., Answer | None]) -> Callable[..., Any]:
            wrapped = _with_shared_options(name, function)
            self._all.append((name, wrapped))
            return function

        return decorate

    def register(self, app: typer.Typer) -> None:
        """`app` knows the commands of this group."""
        for name, function in self._all:
            app.command(name, cls=QuickCommand, rich_help_panel=self.heading)(function)


def _with_shared_options(name: str, function: Callable[..., Answer | None]) -> Callable[..., Any]:
    signature = inspect.signature(function, eval_str=True)
    own = list(signature.parameters.values())[1:]  # without `face`
    shared = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for key, (kind, default) in SHARED_OPTIONS.items()
    ]
    context = inspect.Parameter(
        "ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )

    def run(ctx: typer.Context, **given: Any) -> None:
        options = _merged(ctx.obj or {}, {key: given.pop(key) for key in SHARED_OPTIONS})

        def work(face: Face) -> Answer | None:
            _refuse_empty_words(own, given)
            return function(face, **given)

        status = perform(Face(name, options), work)
        if status:
            raise typer.Exit(status)

    run.__doc__ = function.__doc__
    run.__name__ = function.__name__
    parameters = [context, *own, *shared]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _refuse_empty_words(parameters: Iterable[inspect.Parameter], given: dict[str, Any]) -> None:
    """An empty path would mean the folder that the shell stands in, and nobody writes it on
    purpose; only a setting may be empty. Raises InvalidInput."""
    for each in parameters:
        value = given.get(each.name)
        words = value if isinstance(value, list) else [value]
        is_given = each.name != "value" and value != each.default
        if is_given and any(isinstance(word, str) and not word for word in words):
            told = next(iter(getattr(each.annotation, "__metadata__", ())), None)
            what = getattr(told, "metavar", None) or f"--{each.name.replace('_', '-')}"
            raise InvalidInput(
                f"{what.strip('[].')} is empty.",
                hint="Nothing was changed. Is a variable of your shell not set?",
            )


def _merged(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Shared options given before the command's name and after it; the later word wins."""
    merged = dict(before)
    for key, value in after.items():
        if key == "set_":
            merged[key] = [*(before.get(key) or ()), *(value or ())]
        elif value not in (None, False):
            merged[key] = value
    return merged


def perform(face: Face, work: Callable[[Face], Answer | None]) -> int:
    """The exit status of `work`, once its answer or its failure stands before the user."""
    try:
        answer = work(face)
        _say(face, answer)
        return int(answer.status) if answer is not None else 0
    except (typer.Exit, typer.Abort):
        raise
    except BrokenPipeError:
        silence()
        return PIPE_CLOSED
    except KeyboardInterrupt:
        face.screen.remark("Interrupted.")
        return INTERRUPTED
    except Exception as error:
        if _is_usage(error):
            raise
        return _failed(face, error)


def _say(face: Face, answer: Answer | None) -> None:
    """The answer stands before the user. Raises Full, Denied, Storage where nothing takes it: who
    runs the command again for that has done its work twice."""
    try:
        if answer is not None:
            face.screen.answer(face.command, answer)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        known = _storage_error(error)
        if known is None:
            raise
        made = _files_in(answer.data) if answer is not None else []
        written = f"Written: {', '.join(made)}. " if made else ""
        raise type(known)(
            f"The command is done, but its answer could not be written: {error.strerror}.",
            hint=f"{written}Before you run it again, see what it did.",
        ) from error


def _files_in(data: Any) -> list[str]:
    """The files that an answer says were written: each notebook with its page."""
    if isinstance(data, list):
        return [path for each in data for path in _files_in(each)]
    if not isinstance(data, dict):
        return []
    if "path" in data and "page" in data:
        return [str(data[key]) for key in ("path", "page") if data[key]]
    return [path for each in data.values() if isinstance(each, list) for path in _files_in(each)]


def _is_usage(error: Exception) -> bool:
    """Whether typer itself raised it about the words of the command line."""
    return any(kind.__name__ == "ClickException" for kind in type(error).__mro__)


def _failed(face: Face, error: Exception) -> int:
    from jupyter_rewind.faces.cli import crash

    known = error if isinstance(error, RewindError) else _storage_error(error)
    if known is None or status_of(known) is Status.BUG:
        known, trace = crash.report(error, shown=face.debug)
    else:
        trace = crash.trace_of(error) if face.debug else ""
    status = status_of(known)
    try:
        face.screen.error(face.command, known, status, traceback=trace)
    except BrokenPipeError:
        silence()  # nobody reads the words; the status says what failed all the same
    return int(status)


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_GONE = {errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ETIMEDOUT, errno.ENOTCONN}


def _is_nowhere() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _is_homeless() -> bool:
    try:
        Path.home()
    except RuntimeError:
        return True
    return False


def _storage_error(error: Exception) -> RewindError | None:
    """The system's own word about a disk, where it reached us bare; it is no bug of ours."""
    if isinstance(error, FileNotFoundError) and _is_nowhere():
        return NotFound(
            "The folder that this shell stands in does not exist any more.",
            hint="Nothing was changed. Go to another folder (`cd`) and try again.",
        )
    if isinstance(error, RuntimeError) and _is_homeless():
        return Unavailable(
            "This user has no home folder, so nothing tells where the settings and the store lie.",
            hint="Nothing was changed. Set the variable HOME to a folder that you may write to.",
        )
    if not isinstance(error, OSError) or error.errno not in _FULL | _DENIED | _GONE:
        return None
    place = f" ({error.filename})" if error.filename else ""
    kind = Full if error.errno in _FULL else Denied if error.errno in _DENIED else Storage
    return kind(
        f"The system refused: {error.strerror}{place}.",
        hint="What was stored before is safe. Mend this and run the command again.",
    )
