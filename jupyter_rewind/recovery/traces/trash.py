"""Notebooks in the trash: alone, or in a folder that was thrown away with them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from jupyter_rewind.recovery.documents import read_notebook
from jupyter_rewind.recovery.evidence import EVERYTHING, Evidence, Holds, Problem, Scope, Trace
from jupyter_rewind.recovery.namesakes import BY_NAME, MADE
from jupyter_rewind.recovery.trashcans import Thrown, thrown_away
from jupyter_rewind.recovery.walking import folders_below, is_recovered, real_path, settle

_AGAIN = re.compile(r" (?:\d+|copy(?: \d+)?|\d{1,2}[.-]\d{2}[.-]\d{2}(?: [AP]M)?)\Z")
"""What macOS adds to a name that is in the trash already."""


class TrashFinder:
    """The trash cans of the desktop, also those that Jupyter's own Delete fills."""

    kind = "trash"
    title = "the trash"
    asked_only = False
    holds: frozenset[Holds] = EVERYTHING
    where: Mapping[str, str] = {
        "linux": "`~/.local/share/Trash`; `.Trash-UID` or `.Trash/UID` at the top of other disks",
        "macos": "`~/.Trash`, `/Volumes/*/.Trashes/UID` (by name: macOS notes no origin there)",
        "windows": "`$Recycle.Bin` of the drive",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        for thrown in thrown_away(scope):
            if isinstance(thrown, Problem):
                yield thrown
            else:
                yield from _look(thrown, scope)

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        return read_notebook(trace)


def _look(thrown: Thrown, scope: Scope) -> Iterator[Trace]:
    """The traces in one thing that was thrown away."""
    if not os.path.isdir(thrown.place):
        notebook = _origin(thrown, scope)
        if notebook is not None and notebook.suffix == ".ipynb":
            yield from _trace(thrown.place, notebook, thrown, "In the trash")
        return
    if thrown.origin is not None and scope.notebook is not None:
        yield from _in_folder(thrown, thrown.origin, scope.notebook)
        return
    for folder in folders_below(thrown.place):
        for path in sorted(folder.glob("*.ipynb")):
            origin = thrown.origin and thrown.origin / path.relative_to(thrown.place)
            wanted = _origin(Thrown(path, origin, None), scope)
            if wanted is not None:
                yield from _trace(path, wanted, thrown, "In a folder in the trash")


def _in_folder(thrown: Thrown, origin: Path, notebook: Path) -> Iterator[Trace]:
    """The notebook, and Jupyter's checkpoint of it, in a folder that was thrown away."""
    real, top = real_path(notebook.parent), real_path(origin)
    if not real.is_relative_to(top):
        return
    place = thrown.place / real.relative_to(top) / notebook.name
    yield from _trace(place, notebook, thrown, "In a folder in the trash")
    kept = place.parent / ".ipynb_checkpoints" / f"{place.stem}-checkpoint.ipynb"
    yield from _trace(kept, notebook, thrown, "A checkpoint in a folder in the trash")


def _origin(thrown: Thrown, scope: Scope) -> Path | None:
    """The notebook that this is, if it is one that is looked for."""
    if thrown.origin is not None:
        origin = settle(thrown.origin, scope)
        if scope.notebook is not None:
            return origin if origin == scope.notebook else None
        return origin if origin.is_relative_to(scope.folder) and not is_recovered(origin) else None
    name = _AGAIN.sub("", thrown.place.stem) + thrown.place.suffix
    if scope.notebook is None:
        return scope.folder / name
    return scope.notebook if scope.notebook.name in (name, thrown.place.name) else None


def _trace(place: Path, notebook: Path, thrown: Thrown, words: str) -> Iterator[Trace]:
    try:
        status = place.stat()
    except OSError:
        return
    yield Trace(
        kind=TrashFinder.kind,
        place=str(place),
        notebook=str(notebook),
        holds=EVERYTHING,
        time_ns=status.st_mtime_ns,
        size_bytes=status.st_size,
        words=words,
        handle={} if thrown.origin is not None else {MADE: BY_NAME},
    )
