"""Copies of a notebook that Jupyter's server leaves behind: checkpoints and left-overs of saves.

`.~NAME` holds what the notebook was before a save that never ended; it is as good as a checkpoint
and newer. A checkpoint is copied in place, so a kill can leave it cut short.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from jupyter_rewind.recovery.checkpointplaces import USUAL, checkpoint_folders
from jupyter_rewind.recovery.documents import read_notebook
from jupyter_rewind.recovery.evidence import EVERYTHING, Evidence, Holds, Problem, Scope, Trace
from jupyter_rewind.recovery.namesakes import BY_NAME, MADE
from jupyter_rewind.recovery.walking import folders_of, is_recovered

# A name may have a line's end in it, and its suffix may be written large.
_COPY = re.compile(r"(?P<stem>.+)-checkpoint(\d*)(?P<suffix>\.(?i:ipynb))\Z", re.DOTALL)
_BEFORE = re.compile(r"\.~(?P<name>.+\.(?i:ipynb))\Z", re.DOTALL)
_INVALID = re.compile(r"(?P<name>.+\.ipynb)\.invalid\Z")
_OURS = re.compile(r"\.(?P<name>.+\.ipynb)\.[0-9a-f]{16}\.rewind-tmp\Z")
_UNFINISHED = re.compile(r"(?P<name>.+\.ipynb)(\.tmp|[a-z0-9_]{6,8})\Z")
_LEFT = (
    (_BEFORE, "what the notebook was before a save that did not end"),
    (_INVALID, "set aside by Jupyter, which could not read it"),
    (_OURS, "a restore that did not end"),
    (_UNFINISHED, "a save that did not end"),
)


class CheckpointFinder:
    """Finds `.ipynb_checkpoints` and what unfinished saves leave."""

    kind = "checkpoint"
    title = "Jupyter's checkpoints and left-overs of saves"
    asked_only = False
    holds: frozenset[Holds] = EVERYTHING
    where: Mapping[str, str] = {
        "linux": "`.ipynb_checkpoints/NAME-checkpoint.ipynb`, `.~NAME.ipynb`, `NAME.ipynb.invalid`"
        " beside the notebook; `/tmp/jupyter_checkpoints` where its folder is read-only; where"
        " `checkpoint_dir` in Jupyter's configuration says",
        "macos": "as on Linux; `$TMPDIR/jupyter_checkpoints`",
        "windows": "as on Linux; `%TEMP%\\jupyter_checkpoints`",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        kept = checkpoint_folders(scope)
        for folder in folders_of(scope):
            yield from _beside(folder, scope)
            for name in kept:
                yield from _kept_in(name, folder, scope)
        yield from _of_target(scope)
        yield from _far(scope)

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        return read_notebook(trace)


def _kept_in(name: str, folder: Path, scope: Scope) -> Iterator[Trace | Problem]:
    """The checkpoints of a folder's notebooks in a folder of that name. One for all notebooks of a
    server has those of all its folders: there the name alone says whose each is."""
    words = "Jupyter's checkpoint"
    if not os.path.isabs(name):
        yield from _copies(folder / name, folder, scope, words)
    elif scope.notebook is not None:
        for each in _copies(Path(name), folder, scope, words):
            yield replace(each, handle={MADE: BY_NAME}) if isinstance(each, Trace) else each


def _beside(folder: Path, scope: Scope) -> Iterator[Trace | Problem]:
    for path in _list(folder):
        if isinstance(path, Problem):
            yield path
            continue
        for pattern, words in _LEFT:
            match = pattern.match(path.name)
            if match and _is_wanted(folder / match["name"], scope):
                yield from _trace(path, folder / match["name"], words)
                break


def _copies(kept: Path, folder: Path, scope: Scope, words: str) -> Iterator[Trace | Problem]:
    for path in _list(kept):
        if isinstance(path, Problem):
            yield path
            continue
        match = _COPY.match(path.name)
        if match is None:
            continue
        notebook = folder / f"{match['stem']}{match['suffix']}"
        if _is_wanted(notebook, scope) and not is_recovered(notebook, scope.notebook):
            yield from _trace(path, notebook, words)


def _of_target(scope: Scope) -> Iterator[Trace | Problem]:
    """What lies beside the file to which the notebook's name is a link, there or gone."""
    link = scope.notebook
    if link is None or not os.path.islink(link):
        return
    target = Path(os.path.realpath(link))
    there, folder = replace(scope, notebook=target), target.parent
    yield from (_as_of(each, link) for each in _beside(folder, there))
    kept = _copies(folder / USUAL, folder, there, "Jupyter's checkpoint")
    yield from (_as_of(each, link) for each in kept)


def _as_of(found: Trace | Problem, notebook: Path) -> Trace | Problem:
    return replace(found, notebook=str(notebook)) if isinstance(found, Trace) else found


def _far(scope: Scope) -> Iterator[Trace | Problem]:
    """Checkpoints of notebooks whose folder could not be written to.

    They lie under the path relative to a server's folder, which is not told: a notebook's own
    folder must end in it.
    """
    temporary = next(
        (scope.environ[name] for name in ("TMPDIR", "TEMP") if name in scope.environ), ""
    )
    top = Path(temporary or "/tmp") / "jupyter_checkpoints"
    if not os.path.isdir(top):
        return
    words = "Jupyter's checkpoint, kept apart because its folder is read-only"
    for folder in folders_of(scope):
        for depth in range(len(folder.parts)):
            kept = top.joinpath(*folder.parts[len(folder.parts) - depth :])
            yield from _copies(kept, folder, scope, words)


def _list(folder: Path) -> Iterator[Path | Problem]:
    try:
        yield from sorted(path for path in folder.iterdir() if not os.path.isdir(path))
    except FileNotFoundError:
        return
    except OSError as error:
        words = f"The folder cannot be looked into: {error.strerror}."
        yield Problem(str(folder), words)


def _is_wanted(notebook: Path, scope: Scope) -> bool:
    return scope.notebook is None or scope.notebook == notebook


def _trace(path: Path, notebook: Path, words: str) -> Iterator[Trace | Problem]:
    try:
        status = path.stat()
    except OSError as error:
        yield Problem(str(path), f"It cannot be seen: {error.strerror}.")
        return
    yield Trace(
        CheckpointFinder.kind,
        str(path),
        str(notebook),
        EVERYTHING,
        status.st_mtime_ns,
        status.st_size,
        words,
    )
