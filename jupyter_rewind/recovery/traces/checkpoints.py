"""Copies of a notebook that Jupyter's server leaves behind: checkpoints and left-overs of saves."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from jupyter_rewind.recovery.documents import read_document
from jupyter_rewind.recovery.evidence import EVERYTHING, Evidence, Holds, Problem, Scope, Trace

_COPY = re.compile(r"(?P<stem>.+?)-checkpoint(?P<number>\d*)\.ipynb\Z")


class CheckpointFinder:
    """Finds `.ipynb_checkpoints` and what unfinished saves leave."""

    kind = "checkpoint"
    title = "Jupyter's checkpoints and left-overs of saves"
    asked_only = False
    holds: frozenset[Holds] = EVERYTHING
    where: Mapping[str, str] = {
        "linux": "`.ipynb_checkpoints/NAME-checkpoint.ipynb`, `.~NAME.ipynb`, `NAME.ipynb.invalid`"
        " beside the notebook; `/tmp/jupyter_checkpoints` where its folder is read-only",
        "macos": "as on Linux; `$TMPDIR/jupyter_checkpoints`",
        "windows": "as on Linux; `%TEMP%\\jupyter_checkpoints`",
    }

    def find(self, scope: Scope) -> Iterator[Trace | Problem]:
        for folder in _folders(scope):
            yield from _look(folder, scope)

    def read(self, trace: Trace, scope: Scope) -> Evidence:
        return read_document(trace, Path(trace.place).read_bytes())


def _folders(scope: Scope) -> Iterator[Path]:
    yield scope.notebook.parent if scope.notebook else scope.folder


def _look(folder: Path, scope: Scope) -> Iterator[Trace | Problem]:
    kept = folder / ".ipynb_checkpoints"
    for path in sorted(kept.glob("*.ipynb")) if kept.is_dir() else ():
        match = _COPY.match(path.name)
        if match:
            notebook = folder / f"{match['stem']}.ipynb"
            if scope.notebook is None or scope.notebook == notebook:
                yield _trace(path, notebook, "Jupyter's checkpoint")


def _trace(path: Path, notebook: Path, words: str) -> Trace:
    status = os.stat(path)
    return Trace(
        CheckpointFinder.kind,
        str(path),
        str(notebook),
        EVERYTHING,
        status.st_mtime_ns,
        status.st_size,
        words,
    )
