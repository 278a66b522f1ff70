"""The composition root of recovery: all that the faces see of it.

Beside `workspace`, not in it: whoever has just lost work may have installed Rewind a minute ago,
so this needs no store, makes none, and starts fast.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_rewind import clock
from jupyter_rewind.errors import InvalidInput
from jupyter_rewind.recovery import search
from jupyter_rewind.recovery.evidence import Holds, Problem, Scope, Trace
from jupyter_rewind.recovery.search import Found, Place
from jupyter_rewind.store.durable import free_bytes

if TYPE_CHECKING:
    from jupyter_rewind.settings import Rewind

__all__ = [
    "Found", "Holds", "Place", "Problem", "Request", "Scope", "Trace", "find_traces", "open_scope",
]  # fmt: skip

Progress = Callable[[str, float | None], None]
"""Takes what is being done and, where that is known, the share that is done."""
_ROOM_BYTES = 256 << 20


def _silent(words: str, share: float | None) -> None:
    """Nobody looks on."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for, in their own words: paths and times as they wrote them."""

    target: str | None = None
    """A notebook or a folder; None for the present folder."""
    histories: Sequence[str] = ()
    scan: Sequence[str] = ()
    sessions: Sequence[int] = ()
    since: str | None = None
    until: str | None = None
    memory: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    home: Path = field(default_factory=Path.home)
    progress: Progress = _silent


@contextmanager
def open_scope(settings: Rewind, request: Request) -> Iterator[Scope]:
    """Where to look for what `request` asks; copies lie in its scratch folder until the end.

    Raises InvalidInput for times and paths that make no sense.
    """
    notebook, folder = target_of(request.target)
    with tempfile.TemporaryDirectory(prefix="jupyter-rewind-", dir=_roomy_folder()) as scratch:
        yield Scope(
            notebook=notebook,
            folder=folder,
            home=request.home,
            scratch=Path(scratch),
            environ=request.environ,
            platform=sys.platform,
            since_ns=_moment(request.since, "--since", begins=True),
            until_ns=_moment(request.until, "--until"),
            scan=tuple(_existing(each, "--scan") for each in request.scan),
            histories=tuple(_existing(each, "--history") for each in request.histories),
            sessions=tuple(request.sessions),
            memory=request.memory,
            progress=request.progress,
            store=Path(settings.store_path).expanduser(),
            store_keys=Path(settings.store_key_folder).expanduser(),
        )


def target_of(text: str | None) -> tuple[Path | None, Path]:
    """The notebook that `text` names, if it names one, and the folder to look in."""
    if text is None:
        return None, Path.cwd()
    path = Path(os.path.abspath(os.path.expanduser(text)))
    if path.is_dir():
        return None, path
    if not path.suffix and not path.exists():
        path = path.with_suffix(".ipynb")
    return path, path.parent


def find_traces(scope: Scope) -> Found:
    """Every trace there is; none of them is read."""
    return search.look(scope)


def _existing(text: str, option: str) -> Path:
    path = Path(os.path.abspath(os.path.expanduser(text)))
    if not path.exists():
        raise InvalidInput(f"{option}: there is no {text}.", hint="Check the path.")
    return path


def _moment(text: str | None, option: str, *, begins: bool = False) -> int | None:
    """The time that `text` means; a day's beginning where `begins` is set, else its end."""
    from jupyter_rewind.model.reference import parse_time

    if text is None:
        return None
    now = clock.now_ns()
    moment = parse_time(f"{text} 00:00", now) if begins else None
    if moment is None:
        moment = parse_time(text, now)
    if moment is None:
        raise InvalidInput(
            f"{option}: {text!r} is no time.",
            hint='Write "2026-11-20 14:05", "yesterday" or "2 hours ago".',
        )
    return moment


def _roomy_folder() -> str | None:
    """Where copies fit: the usual temporary folder, unless the disk that just ran full has it."""
    usual = tempfile.gettempdir()
    rooms = [(free_bytes(Path(each)) or 0, each) for each in (usual, "/dev/shm")]
    enough = [each for room, each in rooms if room >= _ROOM_BYTES and os.access(each, os.W_OK)]
    return enough[0] if enough else None
